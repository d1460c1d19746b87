"""How late the echo of speech is, and how much of it is missing, by the samples alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from glottis.lab.samples import RATE, Samples, Signal, rms

WINDOW: Final = RATE
"""Samples that are looked for in one piece."""
HOP: Final = WINDOW // 2
MAX_DELAY: Final = 1.5
"""Seconds; a later echo is not found."""
MIN_CORRELATION: Final = 0.4
"""Of a window that is found; what is concealed, or something else, is less alike."""
FRAME: Final = RATE // 100
SPOKEN: Final = 0.1
"""Of the root mean square of all: a frame that is as loud is speech."""
MISSING: Final = 0.06
"""-24 dB: an echo of a frame that is less loud by so much, all around its place, is missing."""
TOLERANCE: Final = 2
"""Frames around its place."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Samples by which windows of speech come later. ``centres`` are the middles of those that were found."""

    centres: NDArray[np.int64]
    delays: NDArray[np.int64]

    def between(self, start: int, end: int) -> int:
        """The median of the windows there; of all where none was found; 0 without any."""
        inside = self.delays[(self.centres >= start) & (self.centres < end)]
        chosen = inside if len(inside) else self.delays
        return int(np.median(chosen)) if len(chosen) else 0

    def at(self, position: int) -> int:
        """That of the nearest window."""
        return int(self.delays[np.argmin(np.abs(self.centres - position))]) if len(self.delays) else 0


def find_delays(spoken: Samples, heard: Samples) -> Delays:
    """Look for each window of what was spoken in what was heard."""
    reference, echo = spoken.astype(np.float64), heard.astype(np.float64)
    loudness = rms(reference)
    centres, delays = [], []
    for start in range(0, len(reference) - WINDOW + 1, HOP):
        window = reference[start : start + WINDOW]
        if rms(window) < 0.3 * loudness:
            continue
        found = _find(window, echo[start : start + WINDOW + round(MAX_DELAY * RATE)])
        if found is not None:
            centres.append(start + WINDOW // 2)
            delays.append(found)
    return Delays(np.array(centres, np.int64), np.array(delays, np.int64))


def longest_gap(spoken: Samples, heard: Samples, delays: Delays) -> float:
    """Seconds of the longest run of spoken frames of 10 ms of which nothing is heard, with the pauses inside it."""
    reference = _levels(spoken.astype(np.float64))
    echo = _levels(heard.astype(np.float64))
    is_speech = reference > SPOKEN * rms(spoken.astype(np.float64))
    longest, begin = 0, None
    for number in np.flatnonzero(is_speech):
        place = int(number) + round(delays.at(int(number) * FRAME) / FRAME)
        around = echo[max(0, place - TOLERANCE) : place + TOLERANCE + 1]
        if len(around) and around.max() >= MISSING * reference[number]:
            begin = None
            continue
        begin = int(number) if begin is None else begin
        longest = max(longest, int(number) - begin + 1)
    return longest * FRAME / RATE


def moved(heard: Samples, start: int, length: int) -> Samples:
    """So many samples from ``start`` on, with silence where there are none."""
    piece = heard[max(0, start) : start + length]
    return np.pad(piece, (max(0, -start), length - len(piece) - max(0, -start)))


def _find(window: Signal, echo: Signal) -> int | None:
    if len(echo) < len(window):
        return None
    size = 1 << (len(echo) + len(window)).bit_length()
    products = np.fft.irfft(np.fft.rfft(echo, size) * np.conj(np.fft.rfft(window, size)), size)
    sums = np.concatenate([[0.0], np.cumsum(echo**2)])
    energies = sums[len(window) :] - sums[: -len(window)]
    norms = np.sqrt(np.maximum(energies, 1.0) * np.sum(window**2))
    scores = products[: len(norms)] / norms
    best = int(np.argmax(scores))
    return best if scores[best] >= MIN_CORRELATION else None


def _levels(samples: Signal) -> Signal:
    frames: Signal = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    levels: Signal = np.sqrt(np.mean(frames**2, axis=1))
    return levels
