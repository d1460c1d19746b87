"""How much may be sent: Receiver Estimated Maximum Bitrate, draft-alvestrand-rmcat-remb-03 §2.2."""

import struct
from typing import Final

import msgspec

from glottis.contracts.errors import Malformed
from glottis.wire.rtcp.framing import framed

BITRATE_FORMAT: Final = 15
"""Of application layer feedback, RFC 4585 §6.4, which others use too."""
MAX_SSRCS: Final = 31
"""That one speaks for here; its field would allow 255."""

_PAYLOAD_SPECIFIC_FEEDBACK: Final = 206
_HEAD: Final = struct.Struct("!II4sI")
_NAME: Final = b"REMB"
_MANTISSA_BITS: Final = 18


class MaximumBitrate(msgspec.Struct, frozen=True):
    """Bits per second that ``ssrcs`` together may take, headers included."""

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...] = ()


def parse_maximum_bitrate_untrusted(body: bytes) -> MaximumBitrate | None:
    """None for the feedback of another application. Raises ``Malformed``."""
    if len(body) < _HEAD.size or body[8:12] != _NAME:
        return None
    sender_ssrc, _, _, fields = _HEAD.unpack_from(body)
    count, exponent, mantissa = fields >> 24, fields >> _MANTISSA_BITS & 0x3F, fields & (1 << _MANTISSA_BITS) - 1
    if count > MAX_SSRCS or _HEAD.size + 4 * count > len(body):
        raise Malformed("RTCP: the sources of a REMB are too many, or run past the end")
    return MaximumBitrate(sender_ssrc, mantissa << exponent, struct.unpack_from(f"!{count}I", body, _HEAD.size))


def build_maximum_bitrate(maximum: MaximumBitrate) -> bytes:
    """The packet; the bitrate loses what is below 18 bits."""
    exponent = max(0, maximum.bitrate.bit_length() - _MANTISSA_BITS)
    fields = len(maximum.ssrcs) << 24 | exponent << _MANTISSA_BITS | maximum.bitrate >> exponent
    body = _HEAD.pack(maximum.sender_ssrc, 0, _NAME, fields) + struct.pack(f"!{len(maximum.ssrcs)}I", *maximum.ssrcs)
    return framed(_PAYLOAD_SPECIFIC_FEEDBACK, BITRATE_FORMAT, body)
