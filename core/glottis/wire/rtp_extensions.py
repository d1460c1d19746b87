"""The elements of RTP header extensions, with headers of one and of two bytes: RFC 8285 §4.2 and §4.3."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

ONE_BYTE_PROFILE: Final = 0xBEDE
TWO_BYTE_PROFILE: Final = 0x1000
"""The low four bits are the application's."""
MAX_ONE_BYTE_ID: Final = 14
MAX_ONE_BYTE_LENGTH: Final = 16
MAX_ID: Final = 255

_HEADER_LENGTH: Final = 4
_STOP_ID: Final = 15


class ExtensionIds(NamedTuple):
    """Local identifiers, as negotiated; None: not there."""

    mid: int | None = None
    """RFC 9143 §15."""
    audio_level: int | None = None
    """RFC 6464."""
    absolute_send_time: int | None = None
    transport_sequence: int | None = None
    """The number that transport-wide feedback refers to: draft-holmer-rmcat-transport-wide-cc-extensions-01."""

    @property
    def need_two_bytes(self) -> bool:
        """Whether headers of one byte do not do for all: then a stream has none of them (RFC 8285 §4.1.2)."""
        return any(number is not None and number > MAX_ONE_BYTE_ID for number in self)


NO_EXTENSIONS: Final = ExtensionIds()


def find_extensions_untrusted(extension: bytes) -> dict[int, slice]:
    """Where the elements of ``RtpPacket.extension`` have their data, by local identifier; raises ``Malformed``.

    Nothing is found in extensions of other profiles, which RFC 3550 §5.3.1 lets a receiver ignore. Of a repeated
    identifier the first element counts.
    """
    profile = int.from_bytes(extension[:2])
    if profile == ONE_BYTE_PROFILE:
        return _one_byte_elements_untrusted(extension)
    if profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return _two_byte_elements_untrusted(extension)
    return {}


def build_extensions(elements: Sequence[tuple[int, bytes]], *, two_byte: bool = False) -> bytes:
    """A header extension of these, with headers of one byte if all of them allow it; nothing for none.

    Identifiers are 1–255 and not 15, data is of up to 255 bytes. With ``two_byte`` headers have two whatever they hold.
    """
    if not elements:
        return b""
    profile, body = ONE_BYTE_PROFILE, b""
    for number, data in elements:
        if two_byte or number > MAX_ONE_BYTE_ID or not 0 < len(data) <= MAX_ONE_BYTE_LENGTH:
            profile = TWO_BYTE_PROFILE
            body = b"".join([bytes((number, len(data))) + data for number, data in elements])
            break
        body += bytes((number << 4 | len(data) - 1,)) + data
    words = (len(body) + 3) // 4
    return (profile << 16 | words).to_bytes(4) + body.ljust(4 * words, b"\0")


def _one_byte_elements_untrusted(extension: bytes) -> dict[int, slice]:
    elements: dict[int, slice] = {}
    offset, size = _HEADER_LENGTH, len(extension)
    while offset < size:
        head = extension[offset]
        offset += 1
        if head == 0:  # a padding byte
            continue
        number, end = head >> 4, offset + (head & 0x0F) + 1
        if number == _STOP_ID:  # "processing of the remaining extension elements MUST be terminated"
            break
        if end > size:
            raise Malformed("RTP: a header extension element runs past the end")
        elements.setdefault(number, slice(offset, end))
        offset = end
    return elements


def _two_byte_elements_untrusted(extension: bytes) -> dict[int, slice]:
    elements: dict[int, slice] = {}
    offset, size = _HEADER_LENGTH, len(extension)
    while offset < size:
        number = extension[offset]
        offset += 1
        if number == 0:  # a padding byte
            continue
        end = offset + 1 + extension[offset] if offset < size else size + 1
        if end > size:
            raise Malformed("RTP: a header extension element runs past the end")
        elements.setdefault(number, slice(offset + 1, end))
        offset = end
    return elements
