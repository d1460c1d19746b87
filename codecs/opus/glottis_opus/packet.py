"""What an Opus packet says about itself, without decoding it (RFC 6716, section 3)."""

from typing import Final

from glottis import Malformed

CLOCK_RATE: Final = 48000
"""The RTP clock is 48 kHz, whatever rates encoder and decoder work at (RFC 7587, section 4.1)."""

SAMPLE_RATES: Final = (8000, 12000, 16000, 24000, 48000)
"""The rates that libopus encodes from and decodes to by itself."""

FRAME_DURATIONS_MS: Final = (2.5, 5, 10, 20, 40, 60)

MAX_DURATION_MS: Final = 120
"""The audio duration contained within a packet MUST NOT exceed 120 ms (RFC 6716, section 3.2.5, R5)."""

MAX_FRAME_BYTES: Final = 1275
"""The largest frame that the length coding can express (RFC 6716, section 3.2.1)."""

_MAX_DURATION_TICKS: Final = MAX_DURATION_MS * CLOCK_RATE // 1000

_SILK_TICKS: Final = (480, 960, 1920, 2880)
_HYBRID_TICKS: Final = (480, 960)
_CELT_TICKS: Final = (120, 240, 480, 960)
FRAME_TICKS: Final = 3 * _SILK_TICKS + 2 * _HYBRID_TICKS + 4 * _CELT_TICKS
"""The duration of one frame in RTP clock units for each of the 32 configurations (RFC 6716, table 2)."""

_FIRST_CELT: Final = 16
"""The configuration from which on there is no SILK layer, and so no redundancy."""
_SILK_FRAME_TICKS: Final = 960
"""Of a longer Opus frame, each SILK frame has a flag of voice activity."""
_HAS_LENGTHS: Final = 0x80
_HAS_PADDING: Final = 0x40
_MORE_PADDING: Final = 255
_LONG_LENGTH: Final = 252
"""The first byte of a length of two."""

_PACKET_TICKS: Final = tuple(FRAME_TICKS[toc >> 3] * (1, 2, 2, 0)[toc & 0b11] for toc in range(256))
"""The duration of a packet of one or two frames by its TOC byte; 0 where that does not say how many there are."""


def payload_duration_untrusted(payload: bytes) -> int:
    """How long the packet lasts, in units of 1/48000 s. Raises ``Malformed``."""
    if not payload:
        raise Malformed("an Opus packet needs at least the TOC byte")
    return _PACKET_TICKS[payload[0]] or _counted_duration_untrusted(payload)


def has_redundancy(packet: bytes) -> bool:
    """Whether a mono packet holds the frame before it: the LBRR flag, after those of voice activity (section 4.2.3)."""
    configuration = packet[0] >> 3 if packet else _FIRST_CELT
    if configuration >= _FIRST_CELT:
        return False
    silk_frames = max(1, FRAME_TICKS[configuration] // _SILK_FRAME_TICKS)
    try:
        return bool(packet[_first_frame(packet)] >> (7 - silk_frames) & 1)
    except IndexError:  # one without a frame, as in a pause
        return False


def _first_frame(packet: bytes) -> int:
    """Where it begins: after the lengths of those before the last, where they are not all alike (section 3.2)."""
    code = packet[0] & 0b11
    at, lengths = 1, int(code == 2)
    if code == 3:
        at = 2
        if packet[1] & _HAS_PADDING:
            while packet[at] == _MORE_PADDING:
                at += 1
            at += 1
        lengths = (packet[1] & 0b111111) - 1 if packet[1] & _HAS_LENGTHS else 0
    for _ in range(lengths):
        at += 1 if packet[at] < _LONG_LENGTH else 2
    return at


def _counted_duration_untrusted(payload: bytes) -> int:
    """Of a packet of code 3, which has a frame count byte after the TOC byte."""
    if len(payload) < 2:
        raise Malformed("an Opus packet of code 3 needs a frame count byte after the TOC byte")
    duration = FRAME_TICKS[payload[0] >> 3] * (payload[1] & 0b111111)
    if not 0 < duration <= _MAX_DURATION_TICKS:
        raise Malformed(f"an Opus packet lasts up to {MAX_DURATION_MS} ms, not {duration * 1000 // CLOCK_RATE} ms")
    return duration
