"""The states of a DTLS transport and what moves it from one to the next (RFC 6347, 5764; W3C webrtc §5.5), as data."""

from enum import Enum
from typing import Final


class DtlsState(Enum):
    """The states of W3C's ``RTCDtlsTransport``, whose words the values are."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class Happening(Enum):
    """What a transport may meet that changes its state."""

    START = "the owner starts"
    VERIFIED = "the handshake is complete and the certificate is the announced one"
    REFUSED = "no handshake in time, another certificate, or no SRTP profile in common"
    BROKEN = "the peer broke the connection"
    CLOSE_NOTIFY = "a close_notify arrived"
    CLOSE = "the owner closes"


TRANSITIONS: Final[dict[tuple[DtlsState, Happening], DtlsState]] = {
    (DtlsState.NEW, Happening.START): DtlsState.CONNECTING,
    (DtlsState.NEW, Happening.CLOSE): DtlsState.CLOSED,
    # An attempt at the handshake that fails before the deadline is followed by another one.
    (DtlsState.CONNECTING, Happening.VERIFIED): DtlsState.CONNECTED,
    (DtlsState.CONNECTING, Happening.REFUSED): DtlsState.FAILED,
    (DtlsState.CONNECTING, Happening.CLOSE): DtlsState.CLOSED,
    (DtlsState.CONNECTED, Happening.BROKEN): DtlsState.FAILED,
    (DtlsState.CONNECTED, Happening.CLOSE_NOTIFY): DtlsState.CLOSED,
    (DtlsState.CONNECTED, Happening.CLOSE): DtlsState.CLOSED,
}
