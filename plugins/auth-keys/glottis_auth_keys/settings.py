"""What ``[auth.settings]`` holds for this scheme."""

import re
from typing import Final

import msgspec
from glottis import ConfigurationError, Secret

MIN_KEY_LENGTH: Final = 16
"""Characters of a key in plain text: a key is hashed without salt or stretching, so it must not be guessable."""
MIN_TOKEN_SECRET_LENGTH: Final = 32
"""Bytes: the output of SHA-256."""

_SHA256_HEX = re.compile(r"[0-9A-Fa-f]{64}")


class ApiKeysConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys by the name that they are logged with; at least one of either kind."""

    keys: dict[str, Secret] = {}
    """SHA-256 of each key, in hexadecimal."""
    plain_keys: dict[str, Secret] = {}
    """Keys in plain text, for the environment: ``GLOTTIS_AUTH__SETTINGS__PLAIN_KEYS__WEBSITE``."""
    token_secret: Secret | None = None
    """Signs session tokens. Absent: made at start, so that tokens die with the process."""

    def __post_init__(self) -> None:
        if not self.keys and not self.plain_keys:
            raise ConfigurationError("keys: expected at least one API key, here or in plain_keys")
        if twice := self.keys.keys() & self.plain_keys.keys():
            raise ConfigurationError(f"plain_keys.{min(twice)}: there is a key of this name in keys too")
        for name, digest in self.keys.items():
            if not _SHA256_HEX.fullmatch(digest.reveal()):
                raise ConfigurationError(f"keys.{name}: expected SHA-256 of the key, as 64 hexadecimal digits")
        for name, key in self.plain_keys.items():
            if len(key.reveal()) < MIN_KEY_LENGTH:
                raise ConfigurationError(f"plain_keys.{name}: expected at least {MIN_KEY_LENGTH} characters")
        if self.token_secret is not None and len(self.token_secret.reveal().encode()) < MIN_TOKEN_SECRET_LENGTH:
            raise ConfigurationError(f"token_secret: expected at least {MIN_TOKEN_SECRET_LENGTH} characters")
