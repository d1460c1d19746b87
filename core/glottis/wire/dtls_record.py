"""DTLS 1.2 records and handshake fragments as they lie in datagrams (RFC 6347 §4.1, §4.2.2)."""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

RECORD_HEADER_LENGTH: Final = 13
HANDSHAKE_HEADER_LENGTH: Final = 12

MTU: Final = 1200
"""Bytes of a datagram. Fits the smallest IPv6 path (1280) with TURN framing around it, and is what browsers use."""
MAX_APPLICATION_DATA: Final = MTU - RECORD_HEADER_LENGTH - 8 - 16
"""Bytes of cleartext that fit ``MTU``, with the explicit nonce and the tag of AES-GCM around them (RFC 5288)."""

MAX_RECORDS_PER_DATAGRAM: Final = 32
MAX_FRAGMENTS_PER_RECORD: Final = 32
"""A whole flight needs ten of each; the bounds keep a datagram of empty ones from costing more than a real one."""
MAX_FRAGMENT_LENGTH: Final = 2**14 + 2048
"""RFC 5246 §6.2.3: the longest protected record."""
MAX_HANDSHAKE_LENGTH: Final = 2**16
"""Of one handshake message. A chain of long RSA certificates fits; nothing in WebRTC is longer."""

_VERSIONS: Final = (b"\xfe\xff", b"\xfe\xfd")
_EPOCH_AND_UP: Final = struct.Struct("!H6xH")
_HANDSHAKE_HEADER: Final = struct.Struct("!B3sH3s3s")


class ContentType(IntEnum):
    """The record types of DTLS 1.2."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class HandshakeType(IntEnum):
    """The handshake messages that a WebRTC handshake can contain (RFC 5246 §7.4, RFC 6347 §4.3.2)."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    HELLO_VERIFY_REQUEST = 3
    NEW_SESSION_TICKET = 4
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


_CLIENT_HELLO: Final = bytes([HandshakeType.CLIENT_HELLO])


def begins_handshake(data: bytes) -> bool:
    """Whether a datagram begins with a part of the first ClientHello of a handshake (RFC 6347 §4.1, §4.2.2)."""
    start, message_sequence = RECORD_HEADER_LENGTH, slice(RECORD_HEADER_LENGTH + 4, RECORD_HEADER_LENGTH + 6)
    begins_so = (data[0], data[3:5], data[start : start + 1]) == (ContentType.HANDSHAKE, b"\0\0", _CLIENT_HELLO)
    return begins_so and data[message_sequence] == b"\0\0"


class DtlsRecord(NamedTuple):
    """One record; ``data`` is all of it, header included. Epoch 0 is not protected, later ones are."""

    content_type: int
    epoch: int
    data: bytes

    @property
    def fragment(self) -> bytes:
        """What follows the header."""
        return self.data[RECORD_HEADER_LENGTH:]

    def with_sequence_number(self, sequence_number: int) -> "DtlsRecord":
        """The same record under another number, which only epoch 0 allows: later ones authenticate it."""
        assert self.epoch == 0
        return self._replace(data=self.data[:5] + sequence_number.to_bytes(6) + self.data[11:])


class HandshakeFragment(NamedTuple):
    """A piece of a handshake message of ``length`` bytes, from ``offset`` on."""

    message_type: int
    length: int
    message_seq: int
    offset: int
    body: bytes


def split_records_untrusted(datagram: bytes) -> list[DtlsRecord]:
    """Split a datagram into its DTLS 1.2 records, at least one; raises ``Malformed`` if it is anything else."""
    records: list[DtlsRecord] = []
    position = 0
    while position < len(datagram):
        if len(records) == MAX_RECORDS_PER_DATAGRAM:
            raise Malformed(f"DTLS: more than {MAX_RECORDS_PER_DATAGRAM} records in a datagram")
        record = _record_untrusted(datagram, position)
        records.append(record)
        position += len(record.data)
    if not records:
        raise Malformed("DTLS: empty datagram")
    return records


def _record_untrusted(datagram: bytes, position: int) -> DtlsRecord:
    header = datagram[position : position + RECORD_HEADER_LENGTH]
    if len(header) < RECORD_HEADER_LENGTH:
        raise Malformed("DTLS: record header cut short")
    content_type = header[0]
    if not ContentType.CHANGE_CIPHER_SPEC <= content_type <= ContentType.APPLICATION_DATA:
        raise Malformed("DTLS: unknown content type")
    if header[1:3] not in _VERSIONS:
        raise Malformed("DTLS: neither version 1.0 nor 1.2")
    epoch, length = _EPOCH_AND_UP.unpack_from(header, 3)
    end = position + RECORD_HEADER_LENGTH + length
    if length > MAX_FRAGMENT_LENGTH or end > len(datagram):
        raise Malformed("DTLS: record runs past the end of its datagram")
    return DtlsRecord(content_type, epoch, datagram[position:end])


def split_handshake_untrusted(fragment: bytes) -> list[HandshakeFragment]:
    """Split an unprotected handshake record's fragment into handshake fragments, at least one; or ``Malformed``."""
    fragments: list[HandshakeFragment] = []
    position = 0
    while position < len(fragment):
        if len(fragments) == MAX_FRAGMENTS_PER_RECORD:
            raise Malformed(f"DTLS: more than {MAX_FRAGMENTS_PER_RECORD} handshake fragments in a record")
        piece = _handshake_fragment_untrusted(fragment, position)
        fragments.append(piece)
        position += HANDSHAKE_HEADER_LENGTH + len(piece.body)
    if not fragments:
        raise Malformed("DTLS: empty handshake record")
    return fragments


def _handshake_fragment_untrusted(data: bytes, position: int) -> HandshakeFragment:
    body = position + HANDSHAKE_HEADER_LENGTH
    if body > len(data):
        raise Malformed("DTLS: handshake header cut short")
    message_type, length24, message_seq, offset24, size24 = _HANDSHAKE_HEADER.unpack_from(data, position)
    length, offset, size = (int.from_bytes(field) for field in (length24, offset24, size24))
    if length > MAX_HANDSHAKE_LENGTH or offset + size > length:
        raise Malformed("DTLS: handshake fragment outside its message")
    if body + size > len(data):
        raise Malformed("DTLS: handshake fragment runs past the end of its record")
    return HandshakeFragment(message_type, length, message_seq, offset, data[body : body + size])


def pack_records(records: Iterable[DtlsRecord], mtu: int) -> list[bytes]:
    """Fill datagrams of at most ``mtu`` bytes with records, in order; a record is never divided."""
    datagrams: list[bytes] = []
    for record in records:
        if datagrams and len(datagrams[-1]) + len(record.data) <= mtu:
            datagrams[-1] += record.data
        else:
            datagrams.append(record.data)
    return datagrams
