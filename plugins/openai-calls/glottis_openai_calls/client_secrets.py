"""Keys for pages: who may call by one is whoever was given it, as who asked for it, and not for long."""

import secrets
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from glottis import Door, DoorRefused

PREFIX: Final = "ek_"
MAX_BYTES: Final = 32 * 1024 * 1024
"""Of memory that all may take, and a quarter of it those of each principal: beyond, some have to expire first."""
_OVERHEAD: Final = 2048
"""Bytes of one, beside the session and what its door keeps of the request."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a key stands for. ``door`` is the one that its owner came by, and ``session`` what pages get."""

    door: Door
    owner: str
    session: bytes
    """As JSON."""
    expires_at: float
    shown: int = 0
    """Characters that the owner has sent beside the body, which ``door`` keeps."""

    @property
    def size(self) -> int:
        """Of memory."""
        return _OVERHEAD + len(self.session) + self.shown


class ClientSecrets:
    """All that have not expired, by what cannot be turned back to them. ``now`` is in seconds of any one clock."""

    def __init__(self) -> None:
        self._known: dict[bytes, ClientSecret] = {}
        self._sizes: Counter[str] = Counter()

    def add(self, secret: ClientSecret, now: float) -> str:
        """A new key. Raises ``DoorRefused`` if there are too many."""
        if self._is_full(secret):
            self._forget_expired(now)
        if self._is_full(secret):
            detail = "There are too many client secrets; wait until some have expired."
            raise DoorRefused(429, "TOO_MANY_CLIENT_SECRETS", detail, (("retry-after", "60"),))
        value = PREFIX + secrets.token_urlsafe(32)
        self._known[_digest(value)] = secret
        self._sizes[secret.owner] += secret.size
        return value

    def find(self, value: str, now: float) -> ClientSecret | None:
        """What this key stands for, if it is good."""
        secret = self._known.get(_digest(value))
        return secret if secret is not None and now < secret.expires_at else None

    def _is_full(self, secret: ClientSecret) -> bool:
        whole, own = self._sizes.total(), self._sizes[secret.owner]
        return whole + secret.size > MAX_BYTES or 4 * (own + secret.size) > MAX_BYTES

    def _forget_expired(self, now: float) -> None:
        self._known = {digest: one for digest, one in self._known.items() if now < one.expires_at}
        self._sizes = Counter()
        for one in self._known.values():
            self._sizes[one.owner] += one.size


def _digest(value: str) -> bytes:
    return sha256(value.encode(errors="replace")).digest()
