"""What ``[auth.settings]`` holds for this scheme."""

import hashlib
import re
from typing import Final

import msgspec
from glottis import ConfigurationError, Principal, Secret

MIN_KEY_LENGTH: Final = 16
"""Characters of a key in plain text: a key is hashed without salt or stretching, so it must not be guessable."""

HOW_TO_HASH: Final = "make a key with 'openssl rand -hex 32' and its hash with 'printf %s KEY | sha256sum'"

_SHA256_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")
_GUESSED_FIRST: Final = {hashlib.sha256(key).hexdigest(): key.decode() for key in (b"", b"KEY", b"test")}
"""The first is what comes of a mistyped command, the others were shown in documentation."""


class ApiKeysConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys by the name that they are logged with; at least one of either kind."""

    keys: dict[str, Secret] = {}
    """SHA-256 of each key, in hexadecimal."""
    plain_keys: dict[str, Secret] = {}
    """Keys in plain text, for the environment: ``GLOTTIS_AUTH__SETTINGS__PLAIN_KEYS__WEBSITE``."""

    def __post_init__(self) -> None:
        if not self.keys and not self.plain_keys:
            raise ConfigurationError("keys: expected at least one API key, here or in plain_keys")
        if twice := self.keys.keys() & self.plain_keys.keys():
            raise ConfigurationError(f"plain_keys.{min(twice)}: there is a key of this name in keys too")
        for kind, names in (("keys", self.keys), ("plain_keys", self.plain_keys)):
            for name in names:
                _check_owner(kind, name)
        for name, digest in self.keys.items():
            if not _SHA256_HEX.fullmatch(digest.reveal()):
                expected = "expected SHA-256 of the key, as 64 hexadecimal digits"
                raise ConfigurationError(f"keys.{name}: {expected}: {HOW_TO_HASH}")
            if (guess := _GUESSED_FIRST.get(digest.reveal().lower())) is not None:
                raise ConfigurationError(f"keys.{name}: the hash of {guess!r}, which anyone can guess: {HOW_TO_HASH}")
        for name, key in self.plain_keys.items():
            if len(key.reveal()) < MIN_KEY_LENGTH:
                raise ConfigurationError(f"plain_keys.{name}: expected at least {MIN_KEY_LENGTH} characters")


def _check_owner(kind: str, name: str) -> None:
    try:
        Principal(name)
    except ValueError as error:
        raise ConfigurationError(f"{kind}: a key has a name that cannot be a principal's: {error}") from None
