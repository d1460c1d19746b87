"""Audio of any sample rate, in pieces of any length, at the rate of a call."""

import math
from typing import Final

from glottis import Resampling

MAX_PIECE_SECONDS: Final = 0.2
"""What a resampler takes at once."""


class Matcher:
    """For one stream from ``from_rate`` to ``to_rate``. Raises ``ValueError`` for rates that do not fit together."""

    def __init__(self, resampling: Resampling, from_rate: int, to_rate: int) -> None:
        self.from_rate = from_rate
        self._resampler = resampling.create_resampler(from_rate, to_rate) if from_rate != to_rate else None
        group = from_rate // math.gcd(from_rate, to_rate)
        self._step = 2 * group * int(MAX_PIECE_SECONDS * from_rate / group)
        if not self._step:
            raise ValueError(f"{from_rate} and {to_rate} Hz have no whole samples in 200 ms")
        self._group = 2 * group
        self._waiting = b""

    def convert(self, pcm: bytes) -> bytes:
        """What of the stream is complete by now."""
        if self._resampler is None:
            return pcm
        self._waiting += pcm
        end = len(self._waiting) // self._group * self._group
        pieces = [self._waiting[at : min(at + self._step, end)] for at in range(0, end, self._step)]
        self._waiting = self._waiting[end:]
        return b"".join(map(self._resampler.resample, pieces))

    def rest(self) -> bytes:
        """The end of the stream, filled with silence."""
        missing = -len(self._waiting) % self._group
        return self.convert(bytes(missing)) if self._waiting else b""
