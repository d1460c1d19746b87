"""Samples as arrays, and the one rate and level at which all is measured."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16000
"""Hertz of everything that is measured: wideband, as PESQ-WB has it (ITU-T P.862.2)."""
LEVEL: Final = 0.05
"""Root mean square of speech, of full scale: -26 dBov, the level that P.862 expects."""

Samples = NDArray[np.int16]
Signal = NDArray[np.float64]


def resampled(samples: Samples, factor: int) -> Samples:
    """At so many times the rate, by padding the spectrum: slow, and as good as can be."""
    return to_samples(at_length(samples.astype(np.float64), len(samples) * factor))


def at_length(signal: Signal, length: int) -> Signal:
    """The same sound in so many samples: at another rate, and without what that rate cannot hold."""
    if length == len(signal) or not length:
        return signal[:length]
    spectrum = np.fft.rfft(signal)[: length // 2 + 1]
    changed: Signal = np.fft.irfft(spectrum * (length / len(signal)), length)
    return changed


def to_samples(signal: Signal) -> Samples:
    """What is beyond full scale is cut off."""
    rounded: Samples = np.clip(signal, -32768, 32767).astype(np.int16)
    return rounded


def rms(signal: Signal) -> float:
    """Root mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(signal**2))) if len(signal) else 0.0
