"""What all payloads here have in common: 64 kbit/s, and an RTP clock that ticks once per byte."""

from typing import Final

from glottis import Malformed

CLOCK_RATE: Final = 8000
"""Of G.722 too, although it has 16,000 samples a second (RFC 3551, section 4.5.2)."""

BYTES_PER_SECOND: Final = 8000

SAMPLE_RATES: Final = (8000, 16000, 24000, 48000)

FRAME_DURATIONS_MS: Final = (10, 20, 30, 40, 60)

MAX_PAYLOAD_MS: Final = 200
"""A receiver SHOULD accept packets representing between 0 and 200 ms of audio data (RFC 3551, section 4.2)."""

MAX_PAYLOAD_BYTES: Final = BYTES_PER_SECOND * MAX_PAYLOAD_MS // 1000


def payload_duration_untrusted(payload: bytes) -> int:
    """How long the payload lasts, in units of 1/8000 s: one per byte. Raises ``Malformed``."""
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise Malformed(f"a payload of 64 kbit/s has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return len(payload)
