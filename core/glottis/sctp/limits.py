"""The protocol parameters (RFC 9260 §16) and the bounds of one association, each with its overflow rule."""

from typing import Final

import msgspec

from glottis.contracts.errors import LocalError
from glottis.wire.dtls_record import MAX_APPLICATION_DATA
from glottis.wire.sctp import COMMON_HEADER_LENGTH

SMALLEST_PACKET: Final = 512
"""Smaller packets might not hold an INIT ACK with its cookie, or a request to reset many streams."""

CHUNK_OVERHEAD: Final = 512
"""Bytes charged for each chunk or message held besides its payload: what its objects take in memory at most."""

SMALLEST_WINDOW: Final = 1500
"""RFC 9260 §3.3.2: a peer that advertises less in INIT is refused."""


class SctpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and timer parameters; times are seconds, sizes bytes."""

    max_packet_size: int = MAX_APPLICATION_DATA
    """No packet is larger: DTLS does not fragment."""

    max_streams: int = 1024
    """Offered in both directions; data on a stream beyond it is answered with an error and dropped."""

    receive_buffer: int = 1024 * 1024
    """The advertised window. Data beyond it is dropped, and sent again by the peer."""

    max_tsn_gap: int = 8192
    """Data this far ahead of what is missing is dropped, and sent again by the peer."""

    send_buffer: int = 8 * 1024 * 1024
    """Bytes queued and not acknowledged, as memory is charged for them; sending beyond raises ``SendBufferFull``."""

    max_congestion_window: int = 1024 * 1024
    """Bytes in flight at most, whatever the path allows."""

    rto_initial: float = 1.0
    rto_min: float = 0.4
    """Below RFC 9260's 1 s: the delayed acknowledgement of 0.2 s still fits, and chat recovers sooner."""
    rto_max: float = 3.0
    """Below RFC 9260's 60 s: consent (RFC 7675) finds a dead path after 30 s, until then quick recovery counts."""

    max_init_retransmits: int = 20
    association_max_retrans: int = 30
    """With ``rto_max`` more than a minute: ICE consent judges earlier, this is the backstop."""

    delayed_sack: float = 0.2
    heartbeat_interval: float = 30.0
    cookie_lifetime: float = 60.0

    def __post_init__(self) -> None:
        if self.max_packet_size < SMALLEST_PACKET:
            raise LocalError(f"max_packet_size must be at least {SMALLEST_PACKET}")
        if not 1 <= self.max_streams <= 65535:
            raise LocalError("max_streams must be between 1 and 65535")
        if self.receive_buffer < SMALLEST_WINDOW:
            raise LocalError(f"receive_buffer must be at least {SMALLEST_WINDOW}")

    @property
    def packet_capacity(self) -> int:
        """Bytes of padded chunks that a packet holds. It is also PMDCS, the largest DATA chunk (RFC 9260 §1.3)."""
        return (self.max_packet_size - COMMON_HEADER_LENGTH) & ~3


DEFAULT_LIMITS: Final = SctpLimits()
