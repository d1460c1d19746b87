"""STUN messages, RFC 8489: bytes <-> values.

Why this is not a library's codec: docs/design/stun.md.
"""

import hmac
import ipaddress
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.wire.address import Address
from glottis.wire.demux import MAX_STUN_ATTRIBUTES
from glottis.wire.discreet import Discreet

MAGIC_COOKIE: Final = 0x2112A442
HEADER_LENGTH: Final = 20
TRANSACTION_ID_LENGTH: Final = 12
BINDING: Final = 0x001

_HEADER: Final = struct.Struct("!HHI12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_INTEGRITY_LENGTH: Final = 24
_INTEGRITY_SHA256_LENGTH: Final = 36
_FINGERPRINT_LENGTH: Final = 8
_FINGERPRINT_XOR: Final = 0x5354554E
_COMPREHENSION_OPTIONAL: Final = 0x8000
_FAMILY_LENGTHS: Final = {1: 8, 2: 20}


class MessageClass(IntEnum):
    """The two class bits where they stand in the message type, RFC 8489 §5."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Attribute(IntEnum):
    """The attributes that are understood; any other one below 0x8000 is reported as unknown."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    REQUESTED_TRANSPORT = 0x0019
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    PASSWORD_ALGORITHMS = 0x8002
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


_KNOWN: Final = frozenset(map(int, Attribute))


class StunMessage(Discreet, frozen=True):
    """A message whose bounds, fingerprint and attribute lengths are right; its sender is not yet authenticated."""

    hidden = frozenset({"_signed", "_signed_sha256"})

    message_class: MessageClass
    method: int
    transaction_id: bytes
    attributes: Mapping[int, bytes]
    """Values by type, without those that follow the integrity; the first of a repeated type (RFC 8489 §14)."""
    unknown_attributes: tuple[int, ...] = ()
    """Types that the sender requires to be understood, and are not: a request with any deserves a 420."""
    _signed: bytes = b""
    """What MESSAGE-INTEGRITY covers, its header's length already adapted (RFC 8489 §14.5)."""
    _signed_sha256: bytes = b""
    """What MESSAGE-INTEGRITY-SHA256 covers (RFC 8489 §14.6)."""

    def is_signed_with(self, key: bytes) -> bool:
        """Whether there is a MESSAGE-INTEGRITY that was made with ``key`` (for ICE, the receiver's password)."""
        signature = self.attributes.get(Attribute.MESSAGE_INTEGRITY)
        return signature is not None and hmac.compare_digest(signature, hmac.digest(key, self._signed, "sha1"))

    def is_signed_sha256_with(self, key: bytes) -> bool:
        """Whether there is a MESSAGE-INTEGRITY-SHA256 that was made with ``key``."""
        signature = self.attributes.get(Attribute.MESSAGE_INTEGRITY_SHA256)
        return signature is not None and hmac.compare_digest(signature, hmac.digest(key, self._signed_sha256, "sha256"))

    @property
    def has_fingerprint(self) -> bool:
        """ICE requires a fingerprint (RFC 8445 §7); a wrong one never gets this far."""
        return Attribute.FINGERPRINT in self.attributes

    @property
    def username(self) -> bytes | None:
        """UTF-8 in general, ICE characters and a colon in a connectivity check."""
        return self.attributes.get(Attribute.USERNAME)

    @property
    def priority(self) -> int | None:
        """Of the peer-reflexive candidate that this check may reveal."""
        return self._integer(Attribute.PRIORITY)

    @property
    def use_candidate(self) -> bool:
        """Whether the controlling agent nominates the pair of this check."""
        return Attribute.USE_CANDIDATE in self.attributes

    @property
    def ice_controlling(self) -> int | None:
        """The tie-breaker of a sender that believes to be controlling."""
        return self._integer(Attribute.ICE_CONTROLLING)

    @property
    def ice_controlled(self) -> int | None:
        """The tie-breaker of a sender that believes to be controlled."""
        return self._integer(Attribute.ICE_CONTROLLED)

    @property
    def error_code(self) -> int | None:
        """300–699."""
        value = self.attributes.get(Attribute.ERROR_CODE)
        return None if value is None else (value[2] & 7) * 100 + value[3]

    @property
    def xor_mapped_address(self) -> Address | None:
        """Where the sender of the response saw the request come from."""
        return self._xor_address(Attribute.XOR_MAPPED_ADDRESS)

    @property
    def xor_relayed_address(self) -> Address | None:
        """What a TURN server has allocated."""
        return self._xor_address(Attribute.XOR_RELAYED_ADDRESS)

    @property
    def xor_peer_address(self) -> Address | None:
        """Whom a TURN server relays for."""
        return self._xor_address(Attribute.XOR_PEER_ADDRESS)

    @property
    def alternate_server(self) -> Address | None:
        """Whom to ask instead; not obfuscated (RFC 8489 §14.15)."""
        value = self.attributes.get(Attribute.ALTERNATE_SERVER)
        return None if value is None else _decode_address(value[2:])

    @property
    def lifetime(self) -> int | None:
        """Of an allocation, in seconds."""
        return self._integer(Attribute.LIFETIME)

    def _xor_address(self, attribute: Attribute) -> Address | None:
        value = self.attributes.get(attribute)
        return None if value is None else _decode_address(_xor(value[2:], self.transaction_id))

    def _integer(self, attribute: Attribute) -> int | None:
        value = self.attributes.get(attribute)
        return None if value is None else int.from_bytes(value)


def parse_stun_untrusted(data: bytes) -> StunMessage:
    """Read one datagram as one STUN message; raises ``Malformed``.

    Checks the header with its magic cookie, that at most ``MAX_STUN_ATTRIBUTES`` attributes fill the message exactly,
    the length and shape of every known one, and FINGERPRINT where there is one. MESSAGE-INTEGRITY is the receiver's to
    check, who knows the key.
    """
    message_type, transaction_id = _read_header_untrusted(data)
    attributes: dict[int, bytes] = {}
    unknown: list[int] = []
    signed = signed_sha256 = b""
    position, end = HEADER_LENGTH, len(data)
    for _ in range(MAX_STUN_ATTRIBUTES):
        if position >= end:
            break
        attribute, value, following = _read_attribute_untrusted(data, position)
        if attribute == Attribute.FINGERPRINT:
            _check_fingerprint_untrusted(data, position, value)
            attributes[attribute] = value
        elif attribute in attributes or signed_sha256 or (signed and attribute != Attribute.MESSAGE_INTEGRITY_SHA256):
            pass  # RFC 8489 §14, §14.5, §14.6: repetitions, and what follows the integrity, are ignored
        elif attribute in _KNOWN:
            _check_shape_untrusted(attribute, value)
            attributes[attribute] = value
            if attribute == Attribute.MESSAGE_INTEGRITY:
                signed = _with_length(data[:position], position + _INTEGRITY_LENGTH)
            elif attribute == Attribute.MESSAGE_INTEGRITY_SHA256:
                signed_sha256 = _with_length(data[:position], position + _INTEGRITY_SHA256_LENGTH)
        elif attribute < _COMPREHENSION_OPTIONAL:
            unknown.append(attribute)
        position = following
    if position < end:
        raise Malformed(f"STUN: expected at most {MAX_STUN_ATTRIBUTES} attributes")
    message_class = MessageClass(message_type & 0x110)
    method = _method(message_type)
    return StunMessage(message_class, method, transaction_id, attributes, tuple(unknown), signed, signed_sha256)


def build_stun(
    message_class: MessageClass,
    transaction_id: bytes,
    attributes: Iterable[tuple[int, bytes]],
    *,
    method: int = BINDING,
    key: bytes | None = None,
    sha256: bool = False,
) -> bytes:
    """Write a message, with a fingerprint always, and signed with ``key`` where there is one.

    ``sha256`` chooses MESSAGE-INTEGRITY-SHA256 instead of MESSAGE-INTEGRITY.
    """
    body = b"".join(_write_attribute(attribute, value) for attribute, value in attributes)
    message_type = message_class | method & 0xF | (method & 0x70) << 1 | (method & 0xF80) << 2
    data = _HEADER.pack(message_type, len(body), MAGIC_COOKIE, transaction_id) + body
    if key is not None and sha256:
        data = _with_length(data, len(data) + _INTEGRITY_SHA256_LENGTH)
        data += _write_attribute(Attribute.MESSAGE_INTEGRITY_SHA256, hmac.digest(key, data, "sha256"))
    elif key is not None:
        data = _with_length(data, len(data) + _INTEGRITY_LENGTH)
        data += _write_attribute(Attribute.MESSAGE_INTEGRITY, hmac.digest(key, data, "sha1"))
    data = _with_length(data, len(data) + _FINGERPRINT_LENGTH)
    return data + _write_attribute(Attribute.FINGERPRINT, _fingerprint(data))


def encode_error_code(code: int) -> bytes:
    """The value of ERROR-CODE, without a phrase, so that no error is longer than the request that caused it."""
    return bytes((0, 0, code // 100, code % 100))


def encode_unknown_attributes(attributes: Iterable[int]) -> bytes:
    """The value of UNKNOWN-ATTRIBUTES, which goes with error 420."""
    return b"".join(attribute.to_bytes(2) for attribute in attributes)


def encode_xor_address(address: Address, transaction_id: bytes) -> bytes:
    """The value of XOR-MAPPED-ADDRESS and its like, RFC 8489 §14.2."""
    ip = ipaddress.ip_address(address.host)
    family = 1 if ip.version == 4 else 2
    return bytes((0, family)) + _xor(address.port.to_bytes(2) + ip.packed, transaction_id)


def _decode_address(port_and_ip: bytes) -> Address:
    return Address(str(ipaddress.ip_address(port_and_ip[2:])), int.from_bytes(port_and_ip[:2]))


def _xor(port_and_ip: bytes, transaction_id: bytes) -> bytes:
    """The port with the cookie's upper half, the IP address with cookie and transaction id; its own inverse."""
    length = len(port_and_ip)
    mask = (MAGIC_COOKIE >> 16).to_bytes(2) + MAGIC_COOKIE.to_bytes(4) + transaction_id
    return (int.from_bytes(port_and_ip) ^ int.from_bytes(mask[:length])).to_bytes(length)


def _read_header_untrusted(data: bytes) -> tuple[int, bytes]:
    if len(data) < HEADER_LENGTH:
        raise Malformed("STUN: expected at least 20 bytes")
    message_type, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if message_type & 0xC000 or cookie != MAGIC_COOKIE:
        raise Malformed("STUN: expected two zero bits and the magic cookie")
    if length % 4 or length != len(data) - HEADER_LENGTH:
        raise Malformed("STUN: expected a length that fits the datagram")
    return message_type, transaction_id


def _method(message_type: int) -> int:
    """The twelve method bits that the class bits are interleaved with."""
    return message_type & 0xF | (message_type & 0xE0) >> 1 | (message_type & 0x3E00) >> 2


def _read_attribute_untrusted(data: bytes, position: int) -> tuple[int, bytes, int]:
    """Type, value, and where the next attribute begins; the body's length is a multiple of 4, so a head fits."""
    attribute, length = _ATTRIBUTE.unpack_from(data, position)
    start = position + 4
    following = start + (length + 3 & ~3)
    if following > len(data):
        raise Malformed("STUN: expected attributes that end within the message")
    return attribute, data[start : start + length], following


def _write_attribute(attribute: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(attribute, len(value)) + value + bytes(-len(value) % 4)


def _with_length(data: bytes, total: int) -> bytes:
    """The message with the header's length as if it ended after ``total`` bytes, as signatures want it."""
    return data[:2] + (total - HEADER_LENGTH).to_bytes(2) + data[4:]


def _fingerprint(data: bytes) -> bytes:
    return (zlib.crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4)


def _check_fingerprint_untrusted(data: bytes, position: int, value: bytes) -> None:
    # RFC 8489 §14.7: the last attribute, over everything before it; its own length then already counts in the header.
    if position + _FINGERPRINT_LENGTH != len(data) or value != _fingerprint(data[:position]):
        raise Malformed("STUN: expected a right FINGERPRINT at the end")


def _check_shape_untrusted(attribute: int, value: bytes) -> None:
    fits = _SHAPES.get(attribute)
    if fits is not None and not fits(value):
        raise Malformed(f"STUN: expected another length or form of {Attribute(attribute).name}")


def _is_address(value: bytes) -> bool:
    return len(value) > 1 and _FAMILY_LENGTHS.get(value[1]) == len(value)


def _is_error_code(value: bytes) -> bool:
    return len(value) >= 4 and 3 <= value[2] & 7 <= 6 and value[3] < 100


def _has_length(length: int) -> Callable[[bytes], bool]:
    return lambda value: len(value) == length


_SHAPES: Final[Mapping[int, Callable[[bytes], bool]]] = {
    Attribute.MAPPED_ADDRESS: _is_address,
    Attribute.XOR_MAPPED_ADDRESS: _is_address,
    Attribute.USERNAME: lambda value: len(value) <= 513,  # RFC 8489 §14.3; ICE needs 256 + 1 + 256
    Attribute.MESSAGE_INTEGRITY: _has_length(20),
    Attribute.MESSAGE_INTEGRITY_SHA256: _has_length(32),  # RFC 8489 §14.6: whole, where no usage says otherwise
    Attribute.ERROR_CODE: _is_error_code,
    Attribute.UNKNOWN_ATTRIBUTES: lambda value: len(value) % 2 == 0,
    Attribute.CHANNEL_NUMBER: _has_length(4),
    Attribute.LIFETIME: _has_length(4),
    Attribute.XOR_PEER_ADDRESS: _is_address,
    Attribute.XOR_RELAYED_ADDRESS: _is_address,
    Attribute.ALTERNATE_SERVER: _is_address,
    Attribute.REALM: lambda value: len(value) <= 763,  # RFC 8489 §14.9, §14.10
    Attribute.NONCE: lambda value: len(value) <= 763,
    Attribute.PRIORITY: _has_length(4),
    Attribute.USE_CANDIDATE: _has_length(0),
    Attribute.ICE_CONTROLLED: _has_length(8),
    Attribute.ICE_CONTROLLING: _has_length(8),
}
