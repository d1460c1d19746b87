"""Settings of the extension ``metrics``, and of the set of routes of this name."""

from ipaddress import ip_address
from typing import Annotated

import msgspec
from glottis import ConfigurationError, Secret

LEAST_TOKEN = 16
"""Characters: shorter ones are guessed."""


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[extensions.settings.metrics]``."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    """Where ``/metrics`` is; None: on no port of its own. 0 is any free one, which the log tells."""
    token: Secret | None = None
    """What a scraper has to send, as ``Authorization: Bearer``."""

    def __post_init__(self) -> None:
        try:
            is_loopback = ip_address(self.host).is_loopback
        except ValueError:
            raise ConfigurationError(f"host: expected an IP address, got {self.host}") from None
        check_token(self.token)
        if self.port is not None and not is_loopback and self.token is None:
            raise ConfigurationError("token: expected one where others than this machine can reach the port")


class RouteConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[routes.settings.metrics]``."""

    token: Secret | None = None
    """The same; without one the route is for operators."""

    def __post_init__(self) -> None:
        check_token(self.token)


def check_token(token: Secret | None) -> None:
    """Raises ``ConfigurationError`` for one that can be guessed."""
    if token is not None and len(token.reveal()) < LEAST_TOKEN:
        raise ConfigurationError(f"token: expected at least {LEAST_TOKEN} characters")
