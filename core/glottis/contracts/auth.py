"""Who may create sessions, and the tokens that let their clients connect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from glottis.contracts.checks import check_instance
from glottis.contracts.info import Principal

MAX_TOKEN_LENGTH: Final = 4096
"""Characters of a session token; claims of a 256-character client identifier, all of them escaped, need about half."""


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """The HTTP request that wants to create a session. Header names are lower case; ``repr`` hides the headers.

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

    def __repr__(self) -> str:
        return f"AuthRequest({self.method} {self.path} from {self.client_host})"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a session token is bound to. Times are seconds since the epoch. ``use`` is ``connect`` or ``resume``.

    Tokens to resume with expire in years: the end of their session, which the gateway knows, is the end of them.
    """

    session_id: str
    client_identifier: str
    expires_at: float
    nonce: str
    use: str = "connect"

    def __post_init__(self) -> None:
        for name in ("session_id", "client_identifier", "nonce", "use"):
            check_instance(f"TokenClaims.{name}", getattr(self, name), str)
        check_instance("TokenClaims.expires_at", self.expires_at, int | float)


class AuthScheme(Protocol):
    """The deployment's rule. Once per session, never on the media path."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        """Who asks; None if the credentials are missing or wrong (401). Raises ``Forbidden`` for a 403.

        ``AuthenticationFailed`` is a 401 too. The message of either goes to the client: a sentence that says what to
        change, and no secret.
        """

    def issue(self, claims: TokenClaims) -> str:
        """A token that carries or names these claims and that nobody else can make.

        It is URL-safe: at most ``MAX_TOKEN_LENGTH`` letters, digits and characters of ``-._~``.
        """

    def verify(self, token: str, now: float) -> TokenClaims:
        """The claims of a genuine, unexpired token; ``now`` in seconds since the epoch.

        Compares in constant time. Raises ``AuthenticationFailed`` with the code ``TOKEN_INVALID`` or ``TOKEN_EXPIRED``.
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
