"""The ICE server provider ``turn-rest``: a TURN server's time-limited credentials, from a secret shared with it.

As ``use-auth-secret`` of coturn has it, and eturnal and others: the user name is the time at which the credential
expires, and the password is its HMAC (draft-uberti-behave-turn-rest §2.2).
"""

import base64
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from glottis import CallInfo, ConfigurationError, IceServer, IceServerProviderSpec, Secret, hookimpl
from msgspec import Meta


class TurnRestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the provider."""

    urls: tuple[str, ...]
    """TURN URIs, in order of preference; also STUN URIs of the same server."""
    secret: Secret
    """What the server knows as ``static-auth-secret``."""
    lifetime: Annotated[int, Meta(ge=60, le=604_800)] = 86_400
    """Seconds that credentials are good for: longer than calls last."""

    def __post_init__(self) -> None:
        if not self.secret:
            raise ConfigurationError("secret: expected the secret that the TURN server has")
        try:
            IceServer(self.urls, "user", "credential").check()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None


class TurnRest:
    """Makes credentials of each call's own. ``clock`` tells the seconds since 1970."""

    def __init__(self, config: TurnRestConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        """The configured server, with a user name that tells its log which session it is for."""
        expires_at = int(self._clock()) + self._config.lifetime
        username = f"{expires_at}:{call_info.session_id}"
        digest = hmac.digest(self._config.secret.reveal().encode(), username.encode(), "sha1")
        return [IceServer(self._config.urls, username, base64.b64encode(digest).decode())]


@hookimpl
def register_ice_server_providers() -> Sequence[IceServerProviderSpec]:
    """The provider ``turn-rest``."""
    return [IceServerProviderSpec("turn-rest", TurnRest, TurnRestConfig)]
