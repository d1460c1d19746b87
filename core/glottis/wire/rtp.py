"""RTP packets, RFC 3550 §5.1."""

import struct
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

_HEADER: Final = struct.Struct("!BBHII")
_EXTENDED_HEADER: Final = struct.Struct("!BBHIIHH")
_VERSION_2: Final = 0x80
_PADDING: Final = 0x20
_EXTENSION: Final = 0x10
_CSRC_COUNT: Final = 0x0F
_WITH_EXTENSION: Final = _VERSION_2 | _EXTENSION
_MARKER: Final = 0x80

_unpack_extended = _EXTENDED_HEADER.unpack_from
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
    extension: bytes = b""
    """The header extension with its own header of four bytes, as ``wire.rtp_extensions`` reads it."""


def parse_rtp_untrusted(data: bytes) -> RtpPacket:
    """Read one RTP packet; raises ``Malformed``.

    Contributing sources are skipped; a header extension is delimited, and not looked into.
    """
    size = len(data)
    if size < 12:
        raise Malformed("RTP: expected a header of 12 bytes")
    # If there is an extension, these are the fields of its header, too: read at once, for nearly all packets have one.
    extended = data if size >= 16 else data + bytes(4)
    first, second, sequence_number, timestamp, ssrc, _, words = _unpack_extended(extended)
    if first == _WITH_EXTENSION and (start := 16 + 4 * words) <= size:
        payload, extension = data[start:], data[12:start]  # as of browsers
    elif first == _VERSION_2:
        payload, extension = data[12:], b""
    elif first >> 6 != 2:
        raise Malformed("RTP: expected version 2")
    else:
        payload, extension = _payload_untrusted(first, data)
    fields = second & 0x7F, second >= _MARKER, sequence_number, timestamp, ssrc, payload, extension
    return tuple.__new__(RtpPacket, fields)  # as ``RtpPacket`` itself does, one function later


def build_rtp(
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    marker: bool = False,
    extension: bytes = b"",
) -> bytes:
    """An RTP packet without padding or contributing sources; numbers in their field's range.

    ``extension`` is what ``build_extensions`` makes, or nothing.
    """
    second = payload_type | _MARKER if marker else payload_type
    if extension:
        header = _pack_header(_WITH_EXTENSION, second, sequence_number, timestamp, ssrc)
        return header + extension + payload
    return _pack_header(_VERSION_2, second, sequence_number, timestamp, ssrc) + payload


def _payload_untrusted(first: int, data: bytes) -> tuple[bytes, bytes]:
    """Payload and extension of a packet whose first byte announces sources, an extension or padding."""
    start, end = 12 + 4 * (first & _CSRC_COUNT), len(data)
    if start > end:
        raise Malformed("RTP: contributing sources run past the end")
    extension = b""
    if first & _EXTENSION:
        extension = data[start : start + _extension_length_untrusted(data, start)]
        start += len(extension)
    if first & _PADDING:
        end -= _padding_length_untrusted(data, start)
    return data[start:end], extension


def _extension_length_untrusted(data: bytes, start: int) -> int:
    """In bytes, with its own header, RFC 3550 §5.3.1."""
    if start + 4 > len(data):
        raise Malformed("RTP: the header extension's own header runs past the end")
    length = 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    if start + length > len(data):
        raise Malformed("RTP: the header extension runs past the end")
    return length


def _padding_length_untrusted(data: bytes, payload_start: int) -> int:
    """The last byte counts the padding, itself included, RFC 3550 §5.1."""
    if payload_start == len(data) or not 0 < data[-1] <= len(data) - payload_start:
        raise Malformed("RTP: expected a padding length between 1 and the payload's")
    return data[-1]
