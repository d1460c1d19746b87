"""Why a call failed: what is wrong and what to do, in sentences for people.

``transport`` is that of the statistics: None before there is an answer. ``no_way`` says what the endpoint knows of it.
"""

from typing import Final

from glottis.contracts.statistics import TransportStats
from glottis.ice import IceState
from glottis.signaling.close_codes import ABNORMAL, GOING_AWAY, INTERNAL_ERROR, SERVICE_RESTART
from glottis.signaling.errors import WebSocketClosed

_CLOSE_CODES: Final = {
    ABNORMAL: "the signaling connection was lost: the gateway was killed, or a proxy or the network on the way failed; "
    "see whether the gateway runs, and call again",
    GOING_AWAY: "the gateway, or a proxy before it, goes away; call again once it is back",
    INTERNAL_ERROR: "the gateway or its agent has failed; the gateway's log says why",
    SERVICE_RESTART: "the gateway stops or restarts; call again once it is back",
}
"""The others come with a reason that says more than the code."""
_NO_UDP: Final = (
    "no UDP gets through to the gateway and back: it may be blocked on the way, where media.tcp_port helps, "
    "or the gateway's media.addresses cannot be reached from here"
)
_NO_MORE_UDP: Final = (
    "the gateway does not answer by UDP any more: it hangs, or a firewall or the network on the way has changed; "
    "call again"
)


def why_closed(closed: WebSocketClosed) -> str:
    """Of a signaling connection that has ended without a ``bye``."""
    meaning = _CLOSE_CODES.get(closed.code)
    return meaning or closed.reason or f"the gateway has closed the signaling connection with {closed.code}"


def why_late(transport: TransportStats | None, seconds: float, no_way: str) -> str:
    """Of a media connection that has not come about in so many seconds."""
    if transport is None:
        why = "the gateway has not answered the offer; its log may say why"
    elif IceState(transport.ice_state) not in (IceState.CONNECTED, IceState.COMPLETED):
        why = no_way or _NO_UDP
    else:
        why = "UDP gets through, but the DTLS handshake has not come to its end"
    return f"no media connection within {seconds:g} s: {why}"


def why_media_failed(transport: TransportStats | None, reason: str, no_way: str, *, connected: bool) -> str:
    """Of a media connection that has failed with this reason; ``connected`` says whether it ever stood."""
    if transport is None or IceState(transport.ice_state) is not IceState.FAILED:
        return f"the media connection failed: {reason}"
    return no_way or (_NO_MORE_UDP if connected else _NO_UDP)
