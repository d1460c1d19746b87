"""Reports of senders and receivers, RFC 3550 §6.4."""

import struct
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import WORD, framed

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201

_SENDER_INFORMATION: Final = struct.Struct("!IQIII")
_REPORT_BLOCK: Final = struct.Struct("!IIIIII")


class ReportBlock(msgspec.Struct, frozen=True):
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


class SenderReport(msgspec.Struct, frozen=True):
    """What a sender says about itself, and about the sources that it receives, RFC 3550 §6.4.1."""

    ssrc: int
    ntp_time: int
    """64-bit fixed point, seconds since 1900 in the upper half."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    report_blocks: tuple[ReportBlock, ...] = ()


class ReceiverReport(msgspec.Struct, frozen=True):
    """What a participant that sends nothing says about the sources that it receives, RFC 3550 §6.4.2."""

    ssrc: int
    report_blocks: tuple[ReportBlock, ...] = ()


def parse_sender_report_untrusted(count: int, body: bytes) -> SenderReport:
    """Raises ``Malformed``, as do all parsers of this room."""
    if len(body) < _SENDER_INFORMATION.size:
        raise Malformed("RTCP: expected sender information of 24 bytes")
    ssrc, ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER_INFORMATION.unpack_from(body)
    blocks = _parse_report_blocks_untrusted(count, body, _SENDER_INFORMATION.size)
    return SenderReport(ssrc, ntp_time, rtp_timestamp, packet_count, octet_count, blocks)


def parse_receiver_report_untrusted(count: int, body: bytes) -> ReceiverReport:
    """Raises ``Malformed``."""
    if len(body) < WORD.size:
        raise Malformed("RTCP: expected the SSRC of a receiver report")
    return ReceiverReport(WORD.unpack_from(body)[0], _parse_report_blocks_untrusted(count, body, WORD.size))


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


def build_sender_report(report: SenderReport) -> bytes:
    """The packet; at most ``MAX_COUNT`` blocks."""
    head = _SENDER_INFORMATION.pack(
        report.ssrc, report.ntp_time, report.rtp_timestamp, report.packet_count, report.octet_count
    )
    return framed(SENDER_REPORT, len(report.report_blocks), head + _build_report_blocks(report.report_blocks))


def build_receiver_report(report: ReceiverReport) -> bytes:
    """The packet; at most ``MAX_COUNT`` blocks."""
    body = WORD.pack(report.ssrc) + _build_report_blocks(report.report_blocks)
    return framed(RECEIVER_REPORT, len(report.report_blocks), body)


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
