"""STUN and TURN servers, for the client's RTCConfiguration and for the gateway's own gathering."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from glottis.contracts.authority import parse_authority_untrusted
from glottis.contracts.errors import Malformed
from glottis.contracts.info import CallInfo

MAX_ICE_SERVERS: Final = 32
"""Servers that one provider can give a session, and URIs of each: browsers get slower with every one beyond a few."""
_STUN_URI: Final = re.compile(r"(?P<scheme>stuns?):(?P<authority>[^?]+)", re.IGNORECASE | re.ASCII)
_TURN_URI: Final = re.compile(
    r"(?P<scheme>turns?):(?P<authority>[^?]+)(?:\?transport=(?P<transport>udp|tcp))?", re.IGNORECASE | re.ASCII
)
_PORTS: Final = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


class IceUri(NamedTuple):
    """What a STUN or TURN URI says (RFC 7064 §3.1, RFC 7065 §3.1), with what it leaves open filled in.

    ``host`` is a name in lower case or an IP literal without brackets.
    """

    scheme: str
    """``stun``, ``turn``, or under TLS ``stuns``, ``turns``."""
    host: str
    port: int
    transport: str
    """``udp`` or ``tcp``."""


def parse_ice_uri(uri: str) -> IceUri:
    """Read ``stun:host[:port]``, ``turn:host[:port][?transport=udp]`` or the like; raises ``ValueError``."""
    match = _STUN_URI.fullmatch(uri) or _TURN_URI.fullmatch(uri)
    if match is None:
        raise ValueError("expected a STUN or TURN URI, such as stun:192.0.2.1 or turns:turn.example.org:443")
    parts = match.groupdict()
    try:
        host, port = parse_authority_untrusted(parts["authority"])
    except Malformed as error:
        raise ValueError(str(error)) from None
    scheme = parts["scheme"].lower()
    transport = (parts.get("transport") or ("tcp" if scheme.endswith("s") else "udp")).lower()
    return IceUri(scheme, host.strip("[]"), _PORTS[scheme] if port is None else port, transport)


@dataclass(frozen=True, slots=True)
class IceServer:
    """One entry of RTCConfiguration's ``iceServers`` (W3C webrtc, §4.2.2). ``repr`` hides the credential."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None

    def check(self) -> None:
        """Raise ``ValueError``, which names the field, if no browser would take this server: then it takes none at all.

        The URIs follow RFC 7064 §3.1 and RFC 7065 §3.1. The fields may come from anywhere, whatever their types say.
        """
        urls: object = self.urls
        if not isinstance(urls, tuple | list) or not urls:
            raise ValueError("urls: expected at least one URI, in a tuple")
        if len(urls) > MAX_ICE_SERVERS:
            raise ValueError(f"urls: expected at most {MAX_ICE_SERVERS} URIs, got {len(urls)}")
        for index, url in enumerate(urls):
            if not _is_ice_uri(url):
                raise ValueError(
                    f"urls[{index}]: expected a STUN or TURN URI, such as stun:192.0.2.1 or turns:turn.example.org:443"
                )
        for name, value in (("username", self.username), ("credential", self.credential)):
            if value is not None and not (isinstance(value, str) and value.isprintable()):
                raise ValueError(f"{name}: expected a string of printable characters")
        if self.is_relay and not (self.username and self.credential):
            raise ValueError("urls: a TURN server needs a username and a credential")

    @property
    def is_relay(self) -> bool:
        """Whether it is one for TURN."""
        return any(map(_TURN_URI.fullmatch, self.urls))

    def __repr__(self) -> str:
        return (
            f"IceServer(urls={self.urls!r}, username={self.username!r}, credential={'…' if self.credential else None})"
        )


def _is_ice_uri(uri: object) -> bool:
    try:
        return isinstance(uri, str) and bool(parse_ice_uri(uri))
    except ValueError:
        return False


class IceServerProvider(Protocol):
    """Gives each session its servers. A provider that is slow or fails never delays or fails the session."""

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        """The servers for this call, in order of preference; short-lived credentials are made here.

        One that does not pass ``IceServer.check`` is logged and left out, and so are those after the first
        ``MAX_ICE_SERVERS``.
        """


@dataclass(frozen=True, slots=True)
class IceServerProviderSpec:
    """A provider as ``register_ice_server_providers`` returns it; configuration enables it by ``name``."""

    name: str
    create: Callable[[Any], IceServerProvider]
    """Called once at start-up with an instance of ``config_type``."""
    config_type: type[msgspec.Struct] | None = None
