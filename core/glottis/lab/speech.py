"""What is said, and where it is read from."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from glottis.contracts.errors import ConfigurationError
from glottis.lab.samples import LEVEL, RATE, Samples, Signal, at_length, rms, to_samples
from glottis.lab.wav import read_wav

PASSAGE_SECONDS: Final = 8.0
"""As long as P.862.3 recommends; a passage of a file is a little longer or shorter, and ends where it is quietest."""
SLACK_SECONDS: Final = 2.0
MIN_SECONDS: Final = 1.0
MAX_SECONDS: Final = 3600.0
_FRAME: Final = RATE // 50
_SILENT: Final = 3.0
"""Root mean square in steps of 16-bit samples: -80 dBFS."""
_FULL: Final = 32760.0
_CLIPPED: Final = 0.0005
"""Of all samples at full scale: it is clipped."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Samples at ``RATE``, and where in them each passage begins and ends that is judged by itself."""

    samples: Samples
    passages: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE


@dataclass(frozen=True, slots=True)
class SpeechFile:
    """Speech at -26 dBov, as the file has it and as it is judged. ``warnings`` say what is odd about the file."""

    speech: Speech
    warnings: tuple[str, ...]
    signal: Signal
    rate: int

    def at(self, rate: int) -> Samples:
        """At so many hertz, as long as ``speech``."""
        if rate == RATE:
            return self.speech.samples
        return to_samples(at_length(self.signal, round(len(self.signal) * rate / self.rate)))


def read_speech(path: Path) -> SpeechFile:
    """Raises ``ConfigurationError`` that names the file, and says what to change."""
    signal, rate, is_cut_off = read_wav(path)
    seconds = len(signal) / rate
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise ConfigurationError(
            f"{path}: lasts {seconds:.2f} s; expected {MIN_SECONDS:g} s of speech, and {MAX_SECONDS:g} s at most"
        )
    warnings = [f"{path}: ends before its header says: the rest was lost"] if is_cut_off else []
    loudness = rms(signal)
    if loudness < _SILENT:
        warnings.append(f"{path}: is silent, so no figure of it means anything")
    else:
        if np.mean(np.abs(signal) >= _FULL) > _CLIPPED:
            warnings.append(f"{path}: is clipped: its distortion is taken for speech")
        signal = signal * (LEVEL * 32768 / loudness)
    samples = to_samples(at_length(signal, round(seconds * RATE)))
    return SpeechFile(Speech(samples, passages_of(samples)), tuple(warnings), signal, rate)


def passages_of(samples: Samples) -> tuple[tuple[int, int], ...]:
    """Cut where it is quietest, every ``PASSAGE_SECONDS`` or so; a short rest belongs to what is before it."""
    frames = samples[: len(samples) // _FRAME * _FRAME].astype(np.float64).reshape(-1, _FRAME)
    levels = np.convolve(np.sqrt(np.mean(frames**2, axis=1)), np.ones(9), "same")
    usual, slack = round(PASSAGE_SECONDS * 50), round(SLACK_SECONDS * 50)
    cuts = [0]
    while len(levels) - cuts[-1] > usual + slack:
        first = cuts[-1] + usual - slack
        cuts.append(first + int(np.argmin(levels[first : cuts[-1] + usual + slack])))
    if len(cuts) > 1 and len(levels) - cuts[-1] < usual // 2:
        cuts.pop()
    edges = [cut * _FRAME for cut in cuts] + [len(samples)]
    return tuple(pairwise(edges))
