"""The settings that all services have."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from glottis import ConfigurationError, Secret
from msgspec import Meta

SCHEMES = ("http", "https", "ws", "wss")


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a service."""

    url: str
    """Where its addresses begin."""
    api_key: Secret | None = None
    """Absent for a service that wants none."""
    headers: dict[str, Secret] = {}
    """Sent beside the usual ones."""
    timeout: Annotated[float, Meta(gt=0, le=300)] = 6.0
    """Seconds for each step: to be reached, to begin an answer, to go on with it."""
    retries: Annotated[int, Meta(ge=0, le=5)] = 1
    """How often a request is sent again that was not answered, or put off for a moment."""

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise ConfigurationError("url: expected one such as https://api.example.org/v1, without a key in it")

    @property
    def place(self) -> str:
        """The service as the log may have it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # for a host or a port that cannot be one
        return False
    is_plain = parts.username is None and not parts.query and not parts.fragment
    return parts.scheme in SCHEMES and bool(parts.hostname) and port != 0 and is_plain
