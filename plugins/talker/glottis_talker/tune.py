"""A tune made of sine waves: the theme of the last movement of Beethoven's ninth symphony."""

import math
from array import array
from bisect import bisect_right
from functools import cache
from itertools import accumulate
from typing import Final

BEAT_SECONDS: Final = 0.4
AMPLITUDE: Final = 0.35
"""Of full scale at the start of a note: a sine wave of a power of about -12 dBFS."""
OVERTONES: Final = ((1, 0.8), (2, 0.15), (3, 0.05))
"""Multiples of a note's frequency and their shares of the amplitude."""
ATTACK_SECONDS: Final = 0.01
RELEASE_SECONDS: Final = 0.03
DECAY_PER_SECOND: Final = 0.5
"""What is left of a note's amplitude after a second."""

_SEMITONES: Final = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2}
"""From A4, which has 440 Hz."""
_NOTES: Final = (
    *((name, 1.0) for name in "EEFGGFEDCCDE"),
    *(("E", 1.5), ("D", 0.5), ("D", 2.0)),
    *((name, 1.0) for name in "EEFGGFEDCCDE"),
    *(("D", 1.5), ("C", 0.5), ("C", 2.0)),
)
"""Name and length in beats."""


class Tune:
    """The tune at one sample rate, as if it went round for ever. Notes are computed when they are first needed."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        lengths = (_sample_count(beats, sample_rate) for _, beats in _NOTES)
        self._starts = list(accumulate(lengths, initial=0))

    def __len__(self) -> int:
        """Samples in one round."""
        return self._starts[-1]

    def read(self, position: int, sample_count: int) -> bytes:
        """From 1 to ``sample_count`` samples from ``position`` on: fewer where the note ends."""
        position %= len(self)
        index = bisect_right(self._starts, position) - 1
        offset = position - self._starts[index]
        return _note(*_NOTES[index], self._sample_rate)[offset : offset + sample_count].tobytes()


@cache
def tune_at(sample_rate: int) -> Tune:
    """The tune, one for all calls of this rate."""
    return Tune(sample_rate)


@cache
def _note(name: str, beats: float, sample_rate: int) -> "array[int]":
    count = _sample_count(beats, sample_rate)
    turn = 2 * math.pi * 440 * 2 ** (_SEMITONES[name] / 12) / sample_rate
    return array(
        "h",
        (round(32767 * AMPLITUDE * _envelope(i, count, sample_rate) * _wave(turn * i)) for i in range(count)),
    )


def _wave(phase: float) -> float:
    return sum(share * math.sin(multiple * phase) for multiple, share in OVERTONES)


def _envelope(index: int, count: int, sample_rate: int) -> float:
    """Rises and ends without a click, and decays between like a plucked string."""
    rise = index / (ATTACK_SECONDS * sample_rate)
    fall = (count - index) / (RELEASE_SECONDS * sample_rate)
    return min(1.0, rise, fall) * math.exp(math.log(DECAY_PER_SECOND) * index / sample_rate)


def _sample_count(beats: float, sample_rate: int) -> int:
    return round(beats * BEAT_SECONDS * sample_rate)
