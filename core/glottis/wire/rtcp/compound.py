"""Compound packets, RFC 3550 §6.1, and reduced-size ones (RFC 5506): what is in them, read and put together."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.bitrate import (
    BITRATE_FORMAT,
    MaximumBitrate,
    build_maximum_bitrate,
    parse_maximum_bitrate_untrusted,
)
from glottis.wire.rtcp.description import (
    SOURCE_DESCRIPTION,
    SourceDescription,
    build_source_description,
    parse_source_description_untrusted,
)
from glottis.wire.rtcp.extended import (
    EXTENDED_REPORT,
    ExtendedReport,
    build_extended_report,
    parse_extended_report_untrusted,
)
from glottis.wire.rtcp.framing import HEADER
from glottis.wire.rtcp.goodbye import GOODBYE, Goodbye, build_goodbye, parse_goodbye_untrusted
from glottis.wire.rtcp.nack import NACK_FORMAT, Nack, build_nack, parse_nack_untrusted
from glottis.wire.rtcp.reports import (
    RECEIVER_REPORT,
    SENDER_REPORT,
    ReceiverReport,
    SenderReport,
    build_receiver_report,
    build_sender_report,
    parse_receiver_report_untrusted,
    parse_sender_report_untrusted,
)
from glottis.wire.rtcp.transport import (
    TRANSPORT_FORMAT,
    TransportFeedback,
    build_transport_feedback,
    parse_transport_feedback_untrusted,
)

MAX_COMPOUND_LENGTH: Final = 1500
"""Bytes; a compound packet is one datagram and is never fragmented by those who send it (RFC 3550 §6.1)."""
MAX_PACKETS: Final = 64
"""In a compound packet. A call's has three; beyond a source for each, the shortest ones cost more than they say."""
MAX_FEEDBACK: Final = 4
"""Packets of feedback and extended reports that are read of a compound one: there is one of each kind. The rest is
skipped, for it costs more."""

TRANSPORT_LAYER_FEEDBACK: Final = 205
PAYLOAD_SPECIFIC_FEEDBACK: Final = 206
"""RFC 4585 §6.1; the count field is the format."""

_PADDING: Final = 0x20

RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | TransportFeedback
    | MaximumBitrate
    | ExtendedReport
)

_PARSERS: Final[dict[int, Callable[[int, bytes], RtcpPacket]]] = {
    SENDER_REPORT: parse_sender_report_untrusted,
    RECEIVER_REPORT: parse_receiver_report_untrusted,
    SOURCE_DESCRIPTION: parse_source_description_untrusted,
    GOODBYE: parse_goodbye_untrusted,
}
_FEEDBACK_PARSERS: Final[dict[tuple[int, int], Callable[[bytes], RtcpPacket | None]]] = {
    (TRANSPORT_LAYER_FEEDBACK, NACK_FORMAT): parse_nack_untrusted,
    (TRANSPORT_LAYER_FEEDBACK, TRANSPORT_FORMAT): parse_transport_feedback_untrusted,
    (PAYLOAD_SPECIFIC_FEEDBACK, BITRATE_FORMAT): parse_maximum_bitrate_untrusted,
}
_BUILDERS: Final[dict[type, Callable[[Any], bytes]]] = {
    SenderReport: build_sender_report,
    ReceiverReport: build_receiver_report,
    SourceDescription: build_source_description,
    Goodbye: build_goodbye,
    Nack: build_nack,
    TransportFeedback: build_transport_feedback,
    MaximumBitrate: build_maximum_bitrate,
    ExtendedReport: build_extended_report,
}


def is_rtcp(data: bytes) -> bool:
    """Whether an (S)RTP or (S)RTCP datagram is RTCP, by the second byte as RFC 5761 §4 has it."""
    return b"\xc0" <= data[1:2] <= b"\xdf"


def parse_rtcp_untrusted(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet, or a reduced-size one (RFC 5506: any single type may come first); raises ``Malformed``.

    Framing is checked for every packet in it, contents only for the types that are returned.
    """
    if not 4 <= len(data) <= MAX_COMPOUND_LENGTH:
        raise Malformed(f"RTCP: expected 4–{MAX_COMPOUND_LENGTH} bytes")
    packets: list[RtcpPacket] = []
    offset = feedback = 0
    for _ in range(MAX_PACKETS):
        count, packet_type, body, offset = _next_packet_untrusted(data, offset)
        if packet_type in _PARSERS:
            packets.append(_PARSERS[packet_type](count, body))
        elif feedback < MAX_FEEDBACK:
            packet = _parse_feedback_untrusted(packet_type, count, body)
            if packet is not None:
                feedback += 1
                packets.append(packet)
        if offset == len(data):
            return packets
    raise Malformed(f"RTCP: expected at most {MAX_PACKETS} packets in a compound one")


def build_rtcp(packets: Iterable[RtcpPacket]) -> bytes:
    """A compound packet of these; it is the caller who puts a report first and a canonical name in (RFC 3550 §6.1)."""
    return b"".join([_BUILDERS[type(packet)](packet) for packet in packets])


def _next_packet_untrusted(data: bytes, offset: int) -> tuple[int, int, bytes, int]:
    """Count, type and body of the packet at ``offset``, and where the next one starts."""
    if offset + 4 > len(data):
        raise Malformed("RTCP: expected a header of 4 bytes")
    first, packet_type, words = HEADER.unpack_from(data, offset)
    end = offset + 4 + 4 * words
    if first >> 6 != 2:
        raise Malformed("RTCP: expected version 2")
    if end > len(data):
        raise Malformed("RTCP: a packet runs past the end")
    body = data[offset + 4 : end]
    if first & _PADDING:
        body = _without_padding_untrusted(body, is_last=end == len(data))
    return first & 0x1F, packet_type, body, end


def _without_padding_untrusted(body: bytes, *, is_last: bool) -> bytes:
    """RFC 3550 §6.4.1 has padding of whole words; libwebrtc pads transport-wide feedback by one to three bytes."""
    if not is_last:
        raise Malformed("RTCP: expected padding in the last packet only")
    if not body or not 0 < body[-1] <= len(body):
        raise Malformed("RTCP: expected a padding length within the packet")
    return body[: -body[-1]]


def _parse_feedback_untrusted(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    """What is beside reports; None for formats and types that are not known here."""
    if packet_type == EXTENDED_REPORT:
        return parse_extended_report_untrusted(body)
    parse = _FEEDBACK_PARSERS.get((packet_type, count))
    return parse(body) if parse is not None else None
