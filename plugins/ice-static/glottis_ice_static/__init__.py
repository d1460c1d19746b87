"""The ICE server provider ``static``: the same STUN and TURN servers for every call, from the configuration."""

from collections.abc import Sequence

import msgspec
from glottis import CallInfo, ConfigurationError, IceServer, IceServerProviderSpec, Secret, hookimpl


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of RTCConfiguration's ``iceServers`` (W3C webrtc §4.2.2)."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: Secret | None = None

    def __post_init__(self) -> None:
        try:
            self.as_ice_server().check()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    def as_ice_server(self) -> IceServer:
        """As glottis knows it, its credential to be handed to clients."""
        return IceServer(self.urls, self.username, self.credential.reveal() if self.credential else None)


class StaticConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the provider."""

    servers: tuple[Server, ...] = ()
    """In order of preference; none by default."""


class StaticIceServers:
    """Knows its servers from the start."""

    def __init__(self, config: StaticConfig) -> None:
        self._servers = [server.as_ice_server() for server in config.servers]

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        """The same for every call."""
        return list(self._servers)


@hookimpl
def register_ice_server_providers() -> Sequence[IceServerProviderSpec]:
    """The provider ``static``."""
    return [IceServerProviderSpec("static", StaticIceServers, StaticConfig)]
