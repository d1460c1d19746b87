"""SCTP packets (RFC 9260 §3): the common header, its CRC32c, and the chunks and parameters that follow it."""

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from glottis.contracts.errors import Malformed
from glottis.wire.crc32c import crc32c

COMMON_HEADER_LENGTH: Final = 12
CHUNK_HEADER_LENGTH: Final = 4
MAX_PACKET_LENGTH: Final = 1436
"""Bytes of a packet that is read: what an Ethernet frame holds besides IPv4 (20), UDP (8) and DTLS (37), rounded up.
Stacks keep to 1,200 (RFC 8831 §5), and none sends what IP would have to cut into fragments."""
DATA_HEADER_LENGTH: Final = 16
"""The chunk header, TSN, stream identifier, stream sequence number and payload protocol identifier."""

LAST_FRAGMENT: Final = 0x01
FIRST_FRAGMENT: Final = 0x02
WHOLE_MESSAGE: Final = FIRST_FRAGMENT | LAST_FRAGMENT
UNORDERED: Final = 0x04
SACK_IMMEDIATELY: Final = 0x08
"""The I bit of RFC 7053."""

TAG_REFLECTED: Final = 0x01
"""The T bit of ABORT and SHUTDOWN COMPLETE: the packet carries its receiver's own view of the tag (§3.3.7)."""

_HEADER: Final = Struct("!HHII")
_CHUNK_HEADER: Final = Struct("!BBH")
_PARAMETER_HEADER: Final = Struct("!HH")
_DATA: Final = Struct("!BBHIHHI")
_DATA_FIELDS: Final = Struct("!IHHI")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""What rounds a length up to four, by its remainder."""


class ChunkType(IntEnum):
    """RFC 9260 §3.2, with RE-CONFIG (RFC 6525) and FORWARD TSN (RFC 3758)."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    SACK = 3
    HEARTBEAT = 4
    HEARTBEAT_ACK = 5
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACK = 8
    ERROR = 9
    COOKIE_ECHO = 10
    COOKIE_ACK = 11
    SHUTDOWN_COMPLETE = 14
    RE_CONFIG = 130
    FORWARD_TSN = 192


CommonHeader: TypeAlias = tuple[int, int, int]
"""Source port, destination port, verification tag (RFC 9260 §3.1). Plain tuples, here and below: they are many."""

ChunkSpan: TypeAlias = tuple[int, int, int, int]
"""Type, flags, and where the value lies in its packet: ``packet[start:end]``, padding left out."""

DataFields: TypeAlias = tuple[int, int, int, int]
"""TSN, stream identifier, stream sequence number and payload protocol identifier (RFC 9260 §3.3.1)."""


class Parameter(NamedTuple):
    """A type-length-value parameter or error cause (RFC 9260 §3.2.1, §3.3.10)."""

    type: int
    value: bytes


def pad(data: bytes) -> bytes:
    """``data`` and as many zero bytes as bring it to a multiple of four."""
    return data + _PADDING[len(data) & 3]


def encode_packet(header: CommonHeader, chunks: Iterable[bytes], *, zero_checksum: bool = False) -> bytes:
    """A packet of padded ``chunks``; its checksum is left zero where RFC 9653 allows that."""
    packet = b"".join((_HEADER.pack(*header, 0), *chunks))
    if zero_checksum:
        return packet
    return packet[:8] + crc32c(packet).to_bytes(4, "little") + packet[COMMON_HEADER_LENGTH:]


def parse_packet_untrusted(
    packet: bytes, *, zero_checksum_accepted: bool = False
) -> tuple[CommonHeader, list[ChunkSpan]]:
    """The header and where the chunks are.

    Raises ``Malformed`` when the packet is too long, its checksum is wrong, there is no chunk, or a chunk's length
    cannot be true.
    """
    if len(packet) > MAX_PACKET_LENGTH:
        raise Malformed(f"an SCTP packet is longer than {MAX_PACKET_LENGTH} bytes")
    if len(packet) < COMMON_HEADER_LENGTH + CHUNK_HEADER_LENGTH:
        raise Malformed("an SCTP packet needs a common header and a chunk")
    source_port, destination_port, verification_tag, checksum = _HEADER.unpack_from(packet)
    if (checksum or not zero_checksum_accepted) and not _checksum_is_right(packet):
        raise Malformed("the CRC32c of an SCTP packet is wrong")
    return (source_port, destination_port, verification_tag), _chunk_spans_untrusted(packet)


def _checksum_is_right(packet: bytes) -> bool:
    expected = int.from_bytes(packet[8:12], "little")
    return expected == crc32c(packet[:8] + b"\0\0\0\0" + packet[COMMON_HEADER_LENGTH:])


def _chunk_spans_untrusted(packet: bytes) -> list[ChunkSpan]:
    spans = []
    offset, size = COMMON_HEADER_LENGTH, len(packet)
    while offset < size:
        if size - offset < CHUNK_HEADER_LENGTH:
            raise Malformed("an SCTP packet ends within a chunk header")
        chunk_type, flags, length = _CHUNK_HEADER.unpack_from(packet, offset)
        end = offset + length
        if length < CHUNK_HEADER_LENGTH or end > size:
            raise Malformed("the length of an SCTP chunk does not fit its packet")
        spans.append((chunk_type, flags, offset + CHUNK_HEADER_LENGTH, end))
        offset = end + (-length & 3)
    return spans


def encode_chunk(chunk_type: int, value: bytes = b"", flags: int = 0) -> bytes:
    """A chunk with its header, padded."""
    return pad(_CHUNK_HEADER.pack(chunk_type, flags, CHUNK_HEADER_LENGTH + len(value)) + value)


def encode_data(flags: int, fields: DataFields, payload: bytes) -> bytes:
    """A DATA chunk with its header, padded."""
    size = len(payload)
    return _DATA.pack(0, flags, DATA_HEADER_LENGTH + size, *fields) + payload + _PADDING[size & 3]


def acknowledged_at_once(chunk: bytes) -> bytes:
    """An encoded DATA chunk that asks for an acknowledgement without delay."""
    return bytes([chunk[0], chunk[1] | SACK_IMMEDIATELY]) + chunk[2:]


def parse_data_untrusted(packet: bytes, start: int, end: int) -> tuple[DataFields, bytes]:
    """The fields and the payload of the DATA chunk whose value is ``packet[start:end]``."""
    if end - start < _DATA_FIELDS.size:
        raise Malformed("a DATA chunk is shorter than its fixed fields")
    fields: DataFields = _DATA_FIELDS.unpack_from(packet, start)
    return fields, packet[start + DATA_HEADER_LENGTH - CHUNK_HEADER_LENGTH : end]


def encode_parameters(parameters: Iterable[Parameter]) -> bytes:
    """Parameters or error causes in a row, each padded but the last."""
    encoded = b""
    for parameter_type, value in parameters:
        encoded = pad(encoded) + _PARAMETER_HEADER.pack(parameter_type, _PARAMETER_HEADER.size + len(value)) + value
    return encoded


def parse_parameters_untrusted(data: bytes) -> list[Parameter]:
    """The parameters or error causes in ``data``."""
    parameters = []
    offset, size = 0, len(data)
    while offset < size:
        if size - offset < _PARAMETER_HEADER.size:
            raise Malformed("an SCTP chunk ends within a parameter header")
        parameter_type, length = _PARAMETER_HEADER.unpack_from(data, offset)
        if length < _PARAMETER_HEADER.size or offset + length > size:
            raise Malformed("the length of an SCTP parameter does not fit its chunk")
        parameters.append(Parameter(parameter_type, data[offset + _PARAMETER_HEADER.size : offset + length]))
        offset += length + (-length & 3)
    return parameters
