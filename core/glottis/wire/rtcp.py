"""RTCP packets, RFC 3550 §6: reports, source descriptions and goodbyes, read from and put into compound packets.

Feedback, extended reports, application packets and unknown types are skipped when read.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from glottis.contracts.errors import Malformed

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203

MAX_COMPOUND_LENGTH: Final = 1500
"""Bytes; a compound packet is one datagram and is never fragmented by those who send it (RFC 3550 §6.1)."""
MAX_PACKETS: Final = 64
"""In a compound packet. A call's has three; beyond a source for each, the shortest ones cost more than they say."""
MAX_TEXT_LENGTH: Final = 255
"""Bytes of a CNAME or of a reason for leaving; their length fields have one byte."""
MAX_COUNT: Final = 31
"""Report blocks, chunks or sources in one packet; the count field has five bits."""

_VERSION_2: Final = 0x80
_PADDING: Final = 0x20
_CNAME: Final = 1
_HEADER: Final = struct.Struct("!BBH")
_SENDER_INFORMATION: Final = struct.Struct("!IQIII")
_REPORT_BLOCK: Final = struct.Struct("!IIIIII")
_WORD: Final = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one source, RFC 3550 §6.4.1."""

    ssrc: int
    fraction_lost: float
    """Since the previous report, 0–1 (in steps of 1/256 on the wire)."""
    packets_lost: int
    """Since reception began, −2**23 … 2**23 − 1; duplicates make it smaller, even negative."""
    highest_sequence_number: int
    """Extended: the upper 16 bits count the wraps."""
    jitter: int
    """In units of the source's RTP clock."""
    last_sender_report: int = 0
    """The middle 32 bits of the NTP time in the source's last sender report; 0 if none came."""
    delay_since_last_sender_report: int = 0
    """In units of 1/65536 seconds."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a sender says about itself, and about the sources that it receives, RFC 3550 §6.4.1."""

    ssrc: int
    ntp_time: int
    """64-bit fixed point, seconds since 1900 in the upper half."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    report_blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What a participant that sends nothing says about the sources that it receives, RFC 3550 §6.4.2."""

    ssrc: int
    report_blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """Canonical names by SSRC, RFC 3550 §6.5. Other items are neither read nor written: nothing here uses them."""

    canonical_names: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that leave, RFC 3550 §6.6."""

    ssrcs: tuple[int, ...]
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye


def is_rtcp(data: bytes) -> bool:
    """Whether an (S)RTP or (S)RTCP datagram is RTCP, by the second byte as RFC 5761 §4 has it."""
    return len(data) > 1 and 192 <= data[1] <= 223


def parse_rtcp_untrusted(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet, or a reduced-size one (RFC 5506: any single type may come first); raises ``Malformed``.

    Framing is checked for every packet in it, contents only for the types that are returned.
    """
    if not 4 <= len(data) <= MAX_COMPOUND_LENGTH:
        raise Malformed(f"RTCP: expected 4–{MAX_COMPOUND_LENGTH} bytes")
    packets: list[RtcpPacket] = []
    offset = 0
    for _ in range(MAX_PACKETS):
        count, packet_type, body, offset = _next_packet_untrusted(data, offset)
        packet = _parse_body_untrusted(packet_type, count, body)
        if packet is not None:
            packets.append(packet)
        if offset == len(data):
            return packets
    raise Malformed(f"RTCP: expected at most {MAX_PACKETS} packets in a compound one")


def build_rtcp(packets: Iterable[RtcpPacket]) -> bytes:
    """A compound packet of these; it is the caller who puts a report first and a canonical name in (RFC 3550 §6.1)."""
    return b"".join(map(_build_packet, packets))


def _next_packet_untrusted(data: bytes, offset: int) -> tuple[int, int, bytes, int]:
    """Count, type and body of the packet at ``offset``, and where the next one starts."""
    if offset + 4 > len(data):
        raise Malformed("RTCP: expected a header of 4 bytes")
    first, packet_type, words = _HEADER.unpack_from(data, offset)
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
    if not is_last:
        raise Malformed("RTCP: expected padding in the last packet only")
    if not body or body[-1] % 4 or not 0 < body[-1] <= len(body):
        raise Malformed("RTCP: expected a padding length that is a multiple of 4 and within the packet")
    return body[: -body[-1]]


def _parse_body_untrusted(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    if packet_type == SENDER_REPORT:
        return _parse_sender_report_untrusted(count, body)
    if packet_type == RECEIVER_REPORT:
        return _parse_receiver_report_untrusted(count, body)
    if packet_type == SOURCE_DESCRIPTION:
        return _parse_source_description_untrusted(count, body)
    if packet_type == GOODBYE:
        return _parse_goodbye_untrusted(count, body)
    return None


def _parse_sender_report_untrusted(count: int, body: bytes) -> SenderReport:
    if len(body) < _SENDER_INFORMATION.size:
        raise Malformed("RTCP: expected sender information of 24 bytes")
    ssrc, ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER_INFORMATION.unpack_from(body)
    blocks = _parse_report_blocks_untrusted(count, body, _SENDER_INFORMATION.size)
    return SenderReport(ssrc, ntp_time, rtp_timestamp, packet_count, octet_count, blocks)


def _parse_receiver_report_untrusted(count: int, body: bytes) -> ReceiverReport:
    if len(body) < _WORD.size:
        raise Malformed("RTCP: expected the SSRC of a receiver report")
    return ReceiverReport(_WORD.unpack_from(body)[0], _parse_report_blocks_untrusted(count, body, _WORD.size))


def _parse_report_blocks_untrusted(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    """What follows the blocks is a profile's own (RFC 3550 §6.4.3) and skipped."""
    end = offset + count * _REPORT_BLOCK.size
    if end > len(body):
        raise Malformed("RTCP: report blocks run past the end")
    return tuple(_parse_report_block(fields) for fields in _REPORT_BLOCK.iter_unpack(body[offset:end]))


def _parse_report_block(fields: tuple[int, ...]) -> ReportBlock:
    ssrc, loss, highest_sequence_number, jitter, last_sender_report, delay = fields
    packets_lost = loss & 0xFFFFFF
    if packets_lost & 0x800000:
        packets_lost -= 1 << 24
    fraction_lost = (loss >> 24) / 256
    return ReportBlock(ssrc, fraction_lost, packets_lost, highest_sequence_number, jitter, last_sender_report, delay)


def _parse_source_description_untrusted(count: int, body: bytes) -> SourceDescription:
    names: list[tuple[int, str]] = []
    offset = 0
    for _ in range(count):
        if offset + 4 > len(body):
            raise Malformed("RTCP: a source description chunk runs past the end")
        (ssrc,) = _WORD.unpack_from(body, offset)
        name, offset = _parse_items_untrusted(body, offset + 4)
        if name is not None:
            names.append((ssrc, name))
    return SourceDescription(tuple(names))


def _parse_items_untrusted(body: bytes, offset: int) -> tuple[str | None, int]:
    """The canonical name among a chunk's items, and where the next chunk starts."""
    name: str | None = None
    while offset < len(body) and body[offset] != 0:
        end = offset + 2 + body[offset + 1] if offset + 1 < len(body) else len(body) + 1
        if end > len(body):
            raise Malformed("RTCP: a source description item runs past the end")
        if body[offset] == _CNAME:
            name = body[offset + 2 : end].decode("utf-8", "replace")
        offset = end
    if offset == len(body):
        raise Malformed("RTCP: expected a null byte at the end of a source description chunk")
    return name, offset // 4 * 4 + 4


def _parse_goodbye_untrusted(count: int, body: bytes) -> Goodbye:
    offset = 4 * count
    if offset > len(body):
        raise Malformed("RTCP: the sources that leave run past the end")
    ssrcs = struct.unpack_from(f"!{count}I", body)
    if offset == len(body):
        return Goodbye(ssrcs)
    end = offset + 1 + body[offset]
    if end > len(body):
        raise Malformed("RTCP: the reason for leaving runs past the end")
    return Goodbye(ssrcs, body[offset + 1 : end].decode("utf-8", "replace"))


def _build_packet(packet: RtcpPacket) -> bytes:
    if isinstance(packet, SenderReport):
        head = _SENDER_INFORMATION.pack(
            packet.ssrc, packet.ntp_time, packet.rtp_timestamp, packet.packet_count, packet.octet_count
        )
        return _framed(SENDER_REPORT, len(packet.report_blocks), head + _build_report_blocks(packet.report_blocks))
    if isinstance(packet, ReceiverReport):
        body = _WORD.pack(packet.ssrc) + _build_report_blocks(packet.report_blocks)
        return _framed(RECEIVER_REPORT, len(packet.report_blocks), body)
    if isinstance(packet, SourceDescription):
        chunks = [_build_chunk(ssrc, name) for ssrc, name in packet.canonical_names]
        return _framed(SOURCE_DESCRIPTION, len(chunks), b"".join(chunks))
    return _build_goodbye(packet)


def _build_report_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _REPORT_BLOCK.pack(
            block.ssrc,
            min(255, int(block.fraction_lost * 256)) << 24 | block.packets_lost & 0xFFFFFF,
            block.highest_sequence_number,
            block.jitter,
            block.last_sender_report,
            block.delay_since_last_sender_report,
        )
        for block in blocks
    )


def _build_chunk(ssrc: int, name: str) -> bytes:
    text = _text(name)
    chunk = _WORD.pack(ssrc) + bytes((_CNAME, len(text))) + text
    return chunk + bytes(4 - len(chunk) % 4)  # one to four null bytes end the list of items, RFC 3550 §6.5


def _build_goodbye(packet: Goodbye) -> bytes:
    body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
    if packet.reason:
        text = _text(packet.reason)
        body += bytes((len(text),)) + text
        body += bytes(-len(body) % 4)
    return _framed(GOODBYE, len(packet.ssrcs), body)


def _text(text: str) -> bytes:
    """UTF-8, cut at a character's boundary where the length field ends."""
    return text.encode()[:MAX_TEXT_LENGTH].decode(errors="ignore").encode()


def _framed(packet_type: int, count: int, body: bytes) -> bytes:
    if count > MAX_COUNT:
        raise ValueError(f"RTCP: expected at most {MAX_COUNT} entries in a packet, got {count}")
    return _HEADER.pack(_VERSION_2 | count, packet_type, len(body) // 4) + body
