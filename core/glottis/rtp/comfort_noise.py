"""Noise where nothing is sent: what people take for a dead line, where it is silent.

It is as loud as the line's own, which is measured in the pauses of speech, or as loud as the peer says (RFC 3389).
"""

import math
import random
import warnings
from collections.abc import Sequence
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.level import FULL_SCALE
from glottis.rtp.payload import BufferedPacket
from glottis.wire.comfort_noise import parse_comfort_noise_untrusted

with warnings.catch_warnings():  # from Python 3.13 on the module is a package of its own, audioop-lts
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

LOUDEST: Final = 328.0
"""Root mean square of what is made, at most: -40 dBov. Whoever says more is mistaken, or means harm."""
QUIETEST: Final = 3.0
"""Root mean square of what is worth making: less than half a step of G.711."""
ACQUAINTANCE: Final = 50
"""Frames after which something is known of the line: in a second of speech is a pause."""
RISE: Final = 1.005
"""By so much a frame the floor rises while everything is louder: 2 dB in a second, so that it outlasts a sentence."""
_CREEP: Final = 0.02
"""The same of a floor that was silent, added."""
_TABLE_SAMPLES: Final = 1 << 13
_TABLE_RMS: Final = 4000
_ECHOES: Final = 8
"""Of a filter that has no end: what is left is a sixtieth."""


class Background:
    """Of one receiver: learns how loud the line is while nobody speaks, and makes noise of that loudness."""

    __slots__ = ("_at", "_floor", "_heard", "_level", "_sequence", "told_at")

    def __init__(self) -> None:
        self.told_at = -math.inf
        """When the peer has said last how loud its pauses are."""
        self._floor = LOUDEST
        self._heard = 0
        self._sequence = -1
        self._level = 0.0
        self._at = 0

    def hear(self, pcm: bytes) -> None:
        """Learn from what was decoded, signed 16-bit mono."""
        self._floor = min(audioop.rms(pcm, BYTES_PER_SAMPLE), RISE * self._floor + _CREEP)
        if self._heard < ACQUAINTANCE:
            self._heard += 1

    def tell(self, level: int, sequence: int, now: float) -> None:
        """The peer says in the packet ``sequence`` that from there on there is noise of -``level`` dBov."""
        self.told_at = now
        if sequence > self._sequence:
            self._sequence = sequence
            self._level = FULL_SCALE * 10 ** (-level / 20)

    def told_after(self, sequence: int | None) -> float | None:
        """The root mean square that was told after this packet, None: none was."""
        return self._level if sequence is not None and self._sequence > sequence else None

    def noise(self, sample_count: int, share: float = 1.0, loudness: float | None = None) -> bytes:
        """So many samples, of ``loudness`` if that is known better than by the line, and of a ``share`` (0–1) of it."""
        if loudness is None:
            loudness = self._floor if self._heard == ACQUAINTANCE else 0.0
        wanted = share * min(LOUDEST, loudness)
        size = sample_count * BYTES_PER_SAMPLE
        if wanted < QUIETEST:
            return bytes(size)
        at = self._at = (5 * self._at + 1237) % _TABLE_SAMPLES  # at random, as far as ears can tell
        start = at * BYTES_PER_SAMPLE
        samples = (_NOISE[start:] + _NOISE * (size // len(_NOISE) + 1))[:size]
        return audioop.mul(samples, BYTES_PER_SAMPLE, wanted / _TABLE_RMS)


class ComfortNoiseReader:
    """Of comfort noise, which holds no audio. An empty payload is a keepalive (RFC 6263 §4.1)."""

    __slots__ = ("_background", "_statistics", "clock_rate")

    def __init__(self, clock_rate: int, background: Background, statistics: PlayoutStatistics) -> None:
        self.clock_rate = clock_rate
        self._background = background
        self._statistics = statistics

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        """No audio; see ``PayloadReader``."""
        if payload:
            self._background.tell(parse_comfort_noise_untrusted(payload), sequence, now)
            self._statistics.comfort_noise_received += 1
        return ()


def _noise_table() -> bytes:
    """Softer towards high frequencies, as the noise of rooms is; the same in each process. It is a loop."""
    rng = random.Random(3389)  # noqa: S311 - nothing is kept secret by it
    even = rng.randbytes(_TABLE_SAMPLES * BYTES_PER_SAMPLE)  # as loud as 65536 / sqrt(12)
    source = audioop.mul(even, BYTES_PER_SAMPLE, 0.8 * _TABLE_RMS * math.sqrt(12) / 65536)  # 0.8: the filter adds to it
    noise = source
    for _ in range(_ECHOES):
        late = noise[-BYTES_PER_SAMPLE:] + noise[:-BYTES_PER_SAMPLE]
        noise = audioop.add(source, audioop.mul(late, BYTES_PER_SAMPLE, 0.6), BYTES_PER_SAMPLE)
    return noise


_NOISE: Final = _noise_table()
