"""Keys for pages: who may call by one is whoever was given it, as who asked for it, and not for long."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from glottis import Door, DoorRefused

PREFIX: Final = "ek_"
MAX_SECRETS: Final = 10_000
"""Of all, and a hundredth of them of each principal: beyond, nobody is given one before some expire."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a key stands for. ``door`` is the one that its owner came by, and ``session`` what pages get."""

    door: Door
    owner: str
    session: Mapping[str, Any]
    expires_at: float


class ClientSecrets:
    """All that have not expired, by what cannot be turned back to them. ``now`` is in seconds of any one clock."""

    def __init__(self) -> None:
        self._known: dict[bytes, ClientSecret] = {}
        self._counts: dict[str, int] = {}

    def add(self, secret: ClientSecret, now: float) -> str:
        """A new key. Raises ``DoorRefused`` if there are too many."""
        if self._is_full(secret.owner):
            self._forget_expired(now)
        if self._is_full(secret.owner):
            detail = "There are too many client secrets; wait until some have expired."
            raise DoorRefused(429, "TOO_MANY_CLIENT_SECRETS", detail, (("retry-after", "60"),))
        value = PREFIX + secrets.token_urlsafe(32)
        self._known[_digest(value)] = secret
        self._counts[secret.owner] = self._counts.get(secret.owner, 0) + 1
        return value

    def find(self, value: str, now: float) -> ClientSecret | None:
        """What this key stands for, if it is good."""
        secret = self._known.get(_digest(value))
        return secret if secret is not None and now < secret.expires_at else None

    def _is_full(self, owner: str) -> bool:
        return len(self._known) >= MAX_SECRETS or self._counts.get(owner, 0) >= MAX_SECRETS // 100

    def _forget_expired(self, now: float) -> None:
        self._known = {digest: one for digest, one in self._known.items() if now < one.expires_at}
        self._counts = {}
        for one in self._known.values():
            self._counts[one.owner] = self._counts.get(one.owner, 0) + 1


def _digest(value: str) -> bytes:
    return sha256(value.encode(errors="replace")).digest()
