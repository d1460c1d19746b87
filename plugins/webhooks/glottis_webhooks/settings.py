"""Settings of the extension ``webhooks``."""

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from glottis import ConfigurationError, Secret
from msgspec import Meta

from glottis_webhooks.signing import key_of

EventName = Literal["session.created", "session.active", "session.ended"]


class WebhooksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[extensions.settings.webhooks]``."""

    url: Secret
    """Where events are posted; there may be a key in it, so it is never shown."""
    secret: Secret
    """Which signs them: ``whsec_`` and 24 to 64 bytes in base64."""
    directory: Annotated[str, Meta(min_length=1)]
    """Where events lie until they are delivered."""
    events: tuple[EventName, ...] = ("session.created", "session.active", "session.ended")
    statistics: bool = True
    """Whether the end of a session tells them: there are addresses of callers in them."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Seconds for one attempt, from the connection to the answer's head."""
    max_events: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """That lie there at most; then the oldest give way."""
    max_hours: Annotated[float, Meta(gt=0, le=720)] = 72.0
    """After which an event is given up."""

    def __post_init__(self) -> None:
        try:
            key_of(self.secret.reveal())
        except ValueError as error:
            expected = "expected whsec_ and 24 to 64 bytes in base64, as of openssl rand -base64 32"
            raise ConfigurationError(f"secret: {expected}: this is {error}") from None
        if not _is_endpoint(self.url.reveal()):
            raise ConfigurationError("url: expected one of https, or of http on this machine")

    @property
    def place(self) -> str:
        """The endpoint as the log may have it."""
        parts = urlsplit(self.url.reveal())
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # for a host or a port that cannot be one
        return False
    if not parts.hostname or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
