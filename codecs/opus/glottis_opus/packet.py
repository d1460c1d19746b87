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

_PACKET_TICKS: Final = tuple(FRAME_TICKS[toc >> 3] * (1, 2, 2, 0)[toc & 0b11] for toc in range(256))
"""The duration of a packet of one or two frames by its TOC byte; 0 where that does not say how many there are."""


def payload_duration_untrusted(payload: bytes) -> int:
    """How long the packet lasts, in units of 1/48000 s. Raises ``Malformed``."""
    if not payload:
        raise Malformed("an Opus packet needs at least the TOC byte")
    return _PACKET_TICKS[payload[0]] or _counted_duration_untrusted(payload)


def _counted_duration_untrusted(payload: bytes) -> int:
    """Of a packet of code 3, which has a frame count byte after the TOC byte."""
    if len(payload) < 2:
        raise Malformed("an Opus packet of code 3 needs a frame count byte after the TOC byte")
    duration = FRAME_TICKS[payload[0] >> 3] * (payload[1] & 0b111111)
    if not 0 < duration <= _MAX_DURATION_TICKS:
        raise Malformed(f"an Opus packet lasts up to {MAX_DURATION_MS} ms, not {duration * 1000 // CLOCK_RATE} ms")
    return duration
