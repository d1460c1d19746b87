"""STUN and TURN servers as a gateway names them, or who calls it."""

from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.contracts.ice_servers import MAX_ICE_SERVERS, IceServer

EXPECTED: Final = "expected a STUN or TURN URI, of TURN with ,USERNAME,CREDENTIAL after it"


def parse_ice_servers_untrusted(value: object) -> tuple[IceServer, ...]:
    """Read RTCConfiguration's ``iceServers`` (CONTRACT §1), decoded; None is none. Raises ``Malformed``.

    Those beyond ``MAX_ICE_SERVERS`` are left out.
    """
    try:
        if value is not None and not isinstance(value, list):
            raise ValueError("expected an array")
        servers = msgspec.convert((value or [])[:MAX_ICE_SERVERS], tuple[IceServer, ...])
        for server in servers:
            server.check()
    except ValueError as error:
        raise Malformed(f"iceServers: {error}") from None
    return servers


def read_ice_server(text: str) -> IceServer:
    """What the command line says, such as ``stun:192.0.2.1`` or ``turn:192.0.2.1,user,secret``.

    Raises ``ValueError``, which does not repeat a credential.
    """
    url, *credentials = text.split(",", 2)
    if len(credentials) == 1:
        raise ValueError(EXPECTED)
    server = IceServer((url,), *credentials)
    try:
        server.check()
    except ValueError:
        raise ValueError(EXPECTED) from None
    return server
