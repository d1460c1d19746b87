"""The ways to a TURN server that its URIs name, and why none of them leads to an address."""

import time
from datetime import UTC, datetime
from typing import Literal

from glottis.contracts.ice_servers import IceUri
from glottis.turn import UNAUTHENTICATED, Failed, Family, LongTermCredentials
from glottis.wire.address import Address


def way_of(way: IceUri) -> Literal["udp", "tcp", "tls"]:
    """What carries messages to the server."""
    if way.scheme == "turns":
        return "tls"
    return "tcp" if way.transport == "tcp" else "udp"


def why_failed(failed: Failed, credentials: LongTermCredentials) -> Failed:
    """With what the server does not say: that the credentials which it refuses have expired."""
    if failed.code != UNAUTHENTICATED or not has_expired(credentials):
        return failed
    moment = datetime.fromtimestamp(credentials.expires_at or 0.0, UTC)
    return Failed(f"the credentials have expired, at {moment:%Y-%m-%d %H:%M:%S} UTC", failed.code)


def why_unreachable(found: list[Address]) -> str:
    """A server with these addresses, of none of which we have a socket."""
    families = " and ".join(f"IPv{family}" for family in sorted({family_of(address) for address in found}))
    return f"it has {families} alone, and this machine has not" if families else "its name cannot be looked up"


def has_expired(credentials: LongTermCredentials) -> bool:
    """By the clock of this machine, as the server goes by its own."""
    return credentials.expires_at is not None and credentials.expires_at <= time.time()


def family_of(address: Address) -> Family:
    """Of a server, or a socket of ours."""
    return 6 if ":" in address.host else 4


def is_over_tls(uri: IceUri) -> bool:
    """And not over DTLS, which is not spoken."""
    return uri.scheme == "turns" and uri.transport == "tcp"
