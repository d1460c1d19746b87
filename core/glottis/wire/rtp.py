"""RTP packets, RFC 3550 §5.1, and their header extensions, RFC 8285."""

import struct
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

ONE_BYTE_PROFILE: Final = 0xBEDE
"""Elements with a header of one byte, RFC 8285 §4.2."""
TWO_BYTE_PROFILE: Final = 0x1000
"""Elements with a header of two bytes, RFC 8285 §4.3; the low four bits are the application's."""

_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION_HEADER: Final = struct.Struct("!HH")
_VERSION_2: Final = 0x80
_PADDING: Final = 0x20
_EXTENSION: Final = 0x10
_CSRC_COUNT: Final = 0x0F
_MARKER: Final = 0x80
_STOP_ID: Final = 15

_unpack_header = _HEADER.unpack_from
_pack_header = _HEADER.pack


class RtpPacket(NamedTuple):
    """An RTP packet. A named tuple because one is made for every packet, and nothing else is made as fast."""

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    """In units of the codec's RTP clock, modulo 2**32."""
    ssrc: int
    payload: bytes
    """Without padding; empty in packets that are nothing but padding."""
    contributing_sources: tuple[int, ...] = ()
    extension_profile: int = 0
    """The 16 bits "defined by profile" before the header extension; 0 without one."""
    extension: bytes = b""
    """The header extension as it came; ``extensions_untrusted`` takes it apart."""


def parse_rtp_untrusted(data: bytes) -> RtpPacket:
    """Read one RTP packet; raises ``Malformed``. The header extension is delimited here but not looked into."""
    if len(data) < 12:
        raise Malformed("RTP: expected a header of 12 bytes")
    first, second, sequence_number, timestamp, ssrc = _unpack_header(data)
    if first == _VERSION_2:
        return RtpPacket(second & 0x7F, second >= _MARKER, sequence_number, timestamp, ssrc, data[12:])
    if first >> 6 != 2:
        raise Malformed("RTP: expected version 2")
    sources, profile, extension, payload = _optional_parts_untrusted(first, data)
    return RtpPacket(
        second & 0x7F, second >= _MARKER, sequence_number, timestamp, ssrc, payload, sources, profile, extension
    )


def build_rtp(
    payload_type: int, sequence_number: int, timestamp: int, ssrc: int, payload: bytes, marker: bool = False
) -> bytes:
    """An RTP packet without padding, contributing sources or header extension; numbers in their field's range."""
    second = payload_type | _MARKER if marker else payload_type
    return _pack_header(_VERSION_2, second, sequence_number, timestamp, ssrc) + payload


def extensions_untrusted(packet: RtpPacket) -> dict[int, bytes]:
    """The elements of the header extension by their local identifier; raises ``Malformed``.

    Nothing is found in extensions of other profiles, which RFC 3550 §5.3.1 lets a receiver ignore. Of a repeated
    identifier the first element counts.
    """
    if packet.extension_profile == ONE_BYTE_PROFILE:
        return _one_byte_elements_untrusted(packet.extension)
    if packet.extension_profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return _two_byte_elements_untrusted(packet.extension)
    return {}


def _optional_parts_untrusted(first: int, data: bytes) -> tuple[tuple[int, ...], int, bytes, bytes]:
    """Contributing sources, extension profile, extension and payload of a packet whose first byte announces any."""
    offset, end = 12, len(data)
    source_count = first & _CSRC_COUNT
    if offset + 4 * source_count > end:
        raise Malformed("RTP: contributing sources run past the end")
    sources = struct.unpack_from(f"!{source_count}I", data, offset)
    offset += 4 * source_count
    profile, extension = 0, b""
    if first & _EXTENSION:
        profile, extension = _extension_untrusted(data, offset)
        offset += 4 + len(extension)
    if first & _PADDING:
        end -= _padding_length_untrusted(data, offset)
    return sources, profile, extension, data[offset:end]


def _extension_untrusted(data: bytes, offset: int) -> tuple[int, bytes]:
    if offset + 4 > len(data):
        raise Malformed("RTP: the header extension's own header runs past the end")
    profile, words = _EXTENSION_HEADER.unpack_from(data, offset)
    start = offset + 4
    if start + 4 * words > len(data):
        raise Malformed("RTP: the header extension runs past the end")
    return profile, data[start : start + 4 * words]


def _padding_length_untrusted(data: bytes, payload_start: int) -> int:
    """The last byte counts the padding, itself included, RFC 3550 §5.1."""
    if payload_start == len(data) or not 0 < data[-1] <= len(data) - payload_start:
        raise Malformed("RTP: expected a padding length between 1 and the payload's")
    return data[-1]


def _one_byte_elements_untrusted(extension: bytes) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(extension):
        head = extension[offset]
        offset += 1
        if head == 0:  # a padding byte
            continue
        identifier, length = head >> 4, (head & 0x0F) + 1
        if identifier == _STOP_ID:  # "processing of the remaining extension elements MUST be terminated"
            break
        offset = _take_element_untrusted(elements, identifier, extension, offset, length)
    return elements


def _two_byte_elements_untrusted(extension: bytes) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(extension):
        identifier = extension[offset]
        offset += 1
        if identifier == 0:  # a padding byte
            continue
        if offset == len(extension):
            raise Malformed("RTP: a header extension element has no length")
        offset = _take_element_untrusted(elements, identifier, extension, offset + 1, extension[offset])
    return elements


def _take_element_untrusted(
    elements: dict[int, bytes], identifier: int, extension: bytes, start: int, length: int
) -> int:
    """Keep one element's data; returns the offset behind it."""
    end = start + length
    if end > len(extension):
        raise Malformed("RTP: a header extension element runs past the end")
    elements.setdefault(identifier, extension[start:end])
    return end
