"""The settings of the provider ``http``."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from glottis import ConfigurationError, Secret
from msgspec import Meta


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the provider."""

    url: Secret
    """Secret, because some services have their key in it."""
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, Secret] = {}
    """``Authorization`` and the like."""
    body: str = ""
    """Of a POST: JSON."""
    timeout: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """Seconds: a session waits for one in all."""
    cache: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """Seconds for which all calls share an answer; 0: each has its own."""
    keep: Annotated[float, Meta(ge=0, le=86_400)] = 600.0
    """Seconds for which the last answer serves while the endpoint fails: shorter than credentials are good for."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url.reveal())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("url: expected a URL such as https://www.example.org/ice-servers")
        if self.body and self.method != "POST":
            raise ConfigurationError('body: needs method = "POST"')

    @property
    def place(self) -> str:
        """The endpoint as the log may have it."""
        parts = urlsplit(self.url.reveal())
        return f"{parts.scheme}://{parts.hostname}"
