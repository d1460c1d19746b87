"""Opus packets as frames (RFC 6716 §3), and frames as packets of their own."""

from typing import Final, NamedTuple

from glottis import Malformed
from glottis_opus.packet import FRAME_TICKS, MAX_FRAME_BYTES

MAX_FRAMES: Final = 48
"""120 ms of frames of 2.5 ms."""
SLOT: Final = 960
"""20 ms, in samples at 48 kHz."""
SILENCE: Final = bytes([0xF8, 0xFF, 0xFE])
"""20 ms without sound: a packet of CELT, of one mono frame."""


class OpusFrames(NamedTuple):
    """The frames of a packet: ``toc`` is that of packets with one of them, ``duration`` is in samples at 48 kHz."""

    toc: int
    duration: int
    frames: list[bytes]


def opus_frames_untrusted(packet: bytes) -> OpusFrames:
    """The frames that a packet holds, perhaps empty ones. Raises ``Malformed``."""
    if not packet:
        raise Malformed("Opus: a packet has at least one byte (R1)")
    toc, code, body = packet[0] & 0xFC, packet[0] & 3, packet[1:]
    if code == 0:
        frames = [body]
    elif code == 1:
        frames = _equal_untrusted(body, 2)
    elif code == 2:
        length, used = _length_untrusted(body, 0)
        frames = _cut_untrusted(body[used:], [length])
    else:
        frames = _many_untrusted(body)
    if max(map(len, frames)) > MAX_FRAME_BYTES:
        raise Malformed("Opus: a frame has at most 1275 bytes (R2)")
    return OpusFrames(toc, FRAME_TICKS[toc >> 3], frames)


def _many_untrusted(body: bytes) -> list[bytes]:
    """Code 3 (§3.2.5)."""
    if not body:
        raise Malformed("Opus: a packet of code 3 has a count of frames (R6)")
    is_variable, has_padding, count = body[0] & 0x80, body[0] & 0x40, body[0] & 0x3F
    if not 0 < count <= MAX_FRAMES:
        raise Malformed("Opus: expected 1–48 frames (R5)")
    padding, at = _padding_untrusted(body) if has_padding else (0, 1)
    lengths = []
    for _ in range(count - 1 if is_variable else 0):
        length, used = _length_untrusted(body, at)
        lengths.append(length)
        at += used
    if at + padding > len(body):
        raise Malformed("Opus: the padding is longer than the packet (R6)")
    rest = body[at : len(body) - padding]
    return _cut_untrusted(rest, lengths) if is_variable else _equal_untrusted(rest, count)


def _padding_untrusted(body: bytes) -> tuple[int, int]:
    """How many bytes of padding there are, and where what tells them ends: each 255 stands for 254 and what follows."""
    full = len(body) - 1 - len(body[1:].lstrip(b"\xff"))
    if 1 + full >= len(body):
        raise Malformed("Opus: the padding has no end (R6)")
    return 254 * full + body[1 + full], 2 + full


def _equal_untrusted(body: bytes, count: int) -> list[bytes]:
    size, odd = divmod(len(body), count)
    if odd:
        raise Malformed("Opus: frames of one length do not fit (R3, R6)")
    return [body[size * index : size * (index + 1)] for index in range(count)]


def _cut_untrusted(body: bytes, lengths: list[int]) -> list[bytes]:
    """Frames of these lengths, and one that is the rest."""
    frames = []
    at = 0
    for length in lengths:
        frames.append(body[at : at + length])
        at += length
    if at > len(body):
        raise Malformed("Opus: a frame is longer than its packet (R4, R7)")
    return [*frames, body[at:]]


def _length_untrusted(body: bytes, at: int) -> tuple[int, int]:
    """The length of a frame, and how many bytes tell it (§3.2.1)."""
    if at >= len(body):
        raise Malformed("Opus: a length is missing (R4, R7)")
    first = body[at]
    if first < 252:
        return first, 1
    if at + 1 >= len(body):
        raise Malformed("Opus: half of a length is missing (R4, R7)")
    return 4 * body[at + 1] + first, 2


def self_delimited(packet: bytes) -> bytes:
    """A packet of one frame that tells its length itself (RFC 6716, Appendix B)."""
    size = len(packet) - 1
    if size < 252:
        return bytes([packet[0], size]) + packet[1:]
    low = 252 + (size & 3)
    return bytes([packet[0], low, (size - low) // 4]) + packet[1:]
