"""Keys for pages: who may call by one is whoever was given it, as who asked for it, and not for long.

A key holds all that it stands for, sealed (NIST SP 800-38D), for any process that has the same secret: so nothing is
kept. What is too long for a header of HTTP is kept by the process that has made the key.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes, token_urlsafe
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from glottis import DoorRefused
from glottis.contracts.clock import EARLIEST, WallClock, wall_clock

PREFIX: Final = "ek_"
MAX_LENGTH: Final = 8000
"""Characters of one that is sealed: with a browser's other headers it is to be 16 KiB at most."""
MAX_BYTES: Final = 32 * 1024 * 1024
"""Of memory that all may take, and a quarter of it those of each principal: beyond, some have to expire first."""
_OVERHEAD: Final = 2048
"""Bytes of one, beside the session and what was shown."""
_FIELD: Final = 128
"""Bytes that a name and its value take beside their characters."""
_NONCE_BYTES: Final = 12
_OF_THE_CONNECTION: Final = frozenset(
    ("accept", "accept-encoding", "accept-language", "connection", "content-length", "content-type", "user-agent")
)
"""Headers of a request for a key by which nobody is known."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a key stands for. ``shown`` are the headers by which its owner was known, ``session`` is what pages get."""

    shown: Mapping[str, str]
    owner: str
    session: bytes
    """As JSON."""
    expires_at: float
    """In seconds since the epoch, which all processes have in common."""

    @property
    def size(self) -> int:
        """Of memory."""
        return _OVERHEAD + len(self.session) + sum(_FIELD + len(name) + len(text) for name, text in self.shown.items())


def shown_by(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a request by which somebody may be known."""
    return {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION}


class ClientSecrets:
    """Makes keys, and finds what they stand for. ``now`` is in seconds since the epoch.

    A key that was made before ``clock`` was set is good as long as it was to be.
    """

    def __init__(self, clock: WallClock = wall_clock) -> None:
        self._clock = clock
        self._known: dict[bytes, ClientSecret] = {}
        self._sizes: Counter[str] = Counter()

    def add(self, secret: ClientSecret, seal: bytes, now: float) -> str:
        """A new key, sealed with these 32 bytes. Raises ``DoorRefused`` if there are too many that have to be kept."""
        value = _sealed(secret, seal)
        return value if len(value) <= MAX_LENGTH else self._keep(secret, now)

    def find(self, value: str, seal: bytes, now: float) -> ClientSecret | None:
        """What this key stands for, if it is good."""
        secret = self._known.get(_digest(value)) or _unsealed(value, seal)
        return secret if secret is not None and self._is_good(secret, now) else None

    def _is_good(self, secret: ClientSecret, now: float) -> bool:
        return now < secret.expires_at or EARLIEST <= now < self._clock.restated(secret.expires_at)

    def _keep(self, secret: ClientSecret, now: float) -> str:
        if self._is_full(secret):
            self._forget_expired(now)
        if self._is_full(secret):
            detail = "There are too many long client secrets; wait until some have expired."
            raise DoorRefused(429, "TOO_MANY_CLIENT_SECRETS", detail, (("retry-after", "60"),))
        value = PREFIX + token_urlsafe(32)
        self._known[_digest(value)] = secret
        self._sizes[secret.owner] += secret.size
        return value

    def _is_full(self, secret: ClientSecret) -> bool:
        whole, own = self._sizes.total(), self._sizes[secret.owner]
        return whole + secret.size > MAX_BYTES or 4 * (own + secret.size) > MAX_BYTES

    def _forget_expired(self, now: float) -> None:
        self._known = {digest: one for digest, one in self._known.items() if self._is_good(one, now)}
        self._sizes = Counter()
        for one in self._known.values():
            self._sizes[one.owner] += one.size


def _sealed(secret: ClientSecret, seal: bytes) -> str:
    """Only the session is compressed: who has a say in that shall not learn by the length what else there is."""
    parts = (secret.expires_at, secret.owner, secret.shown, zlib.compress(secret.session))
    nonce = token_bytes(_NONCE_BYTES)
    sealed = AESGCM(seal).encrypt(nonce, msgspec.msgpack.encode(parts), PREFIX.encode())
    return PREFIX + urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def _unsealed(value: str, seal: bytes) -> ClientSecret | None:
    """None for what was sealed by nobody who has these bytes; what was, is as it was made."""
    text = value.removeprefix(PREFIX)
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        plain = AESGCM(seal).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], PREFIX.encode())
    except (InvalidTag, ValueError):
        return None
    parts: tuple[Any, ...] = msgspec.msgpack.decode(plain)
    expires_at, owner, shown, session = parts
    return ClientSecret(shown, owner, zlib.decompress(session), expires_at)


def _digest(value: str) -> bytes:
    return sha256(value.encode(errors="replace")).digest()
