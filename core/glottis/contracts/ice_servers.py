"""STUN and TURN servers, for the client's RTCConfiguration and for the gateway's own gathering."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from glottis.contracts.info import CallInfo


@dataclass(frozen=True, slots=True)
class IceServer:
    """One entry of RTCConfiguration's ``iceServers`` (W3C webrtc, §4.2.2). ``repr`` hides the credential."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None

    def __repr__(self) -> str:
        return (
            f"IceServer(urls={self.urls!r}, username={self.username!r}, credential={'…' if self.credential else None})"
        )


class IceServerProvider(Protocol):
    """Gives each session its servers. A provider that is slow or fails never delays or fails the session."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        """The servers for this call, in order of preference; short-lived credentials are made here."""


@dataclass(frozen=True, slots=True)
class IceServerProviderSpec:
    """A provider as ``register_ice_server_providers`` returns it; configuration enables it by ``name``."""

    name: str
    create: Callable[[Any], IceServerProvider]
    """Called once at start-up with an instance of ``config_type``."""
    config_type: type[msgspec.Struct] | None = None
