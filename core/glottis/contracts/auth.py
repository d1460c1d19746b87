"""Who may create sessions. The tokens that let their clients connect are the gateway's own affair."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from glottis.contracts.info import Principal


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """The HTTP request that wants to create a session, or to see what is not for everybody; ``repr`` hides the headers.

    Header names are lower case.

    Header values may hold any bytes (RFC 9110 §5.5): they are decoded as UTF-8, and
    ``value.encode("utf-8", "surrogateescape")`` gives the bytes back.
    ``client_host`` is the IP address the request came from (behind a trusted proxy: the one it names).
    """

    method: str
    path: str
    headers: Mapping[str, str]
    client_host: str
    http_version: str = "1.1"
    """Of the connection to the gateway: ``1.0`` or ``1.1``."""
    campaign_id: str | None = None
    """The campaign that the session would be of, which need not exist; None where no session is wanted."""

    def __repr__(self) -> str:
        return f"AuthRequest({self.method} {self.path} from {self.client_host})"


class AuthScheme(Protocol):
    """The deployment's rule. Asked once per session and for requests that are not for everybody, never for media.

    A scheme that has work beside those who ask may have a method ``gateway_lifespan``, which takes a ``GatewayInfo``:
    as the hook of this name.
    """

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """Who asks; None if the credentials are missing or wrong (401). Raises ``Forbidden`` for a 403.

        ``AuthenticationFailed`` is a 401 too. The message of either goes to the client: a sentence that says what to
        change, and no secret.
        """


@dataclass(frozen=True, slots=True)
class AuthSchemeSpec:
    """An auth scheme as ``register_auth_schemes`` returns it; configuration enables it by ``name``.

    ``loopback_only`` makes the gateway refuse to start with this scheme on any other address, or with trusted proxies.
    """

    name: str
    create: Callable[[Any], AuthScheme]
    """Called once at start-up with an instance of ``config_type``."""
    config_type: type[msgspec.Struct] | None = None
    loopback_only: bool = False
