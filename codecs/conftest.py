"""What the codecs' tests share: real speech at any rate, and how alike two signals are."""

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Samples = npt.NDArray[np.int16]

SPEECH = Path(__file__).parent.parent / "tests" / "vectors" / "audio" / "speech_16k.wav"


@pytest.fixture(scope="session")
def speech() -> Callable[[int], Samples]:
    """Three seconds of speech at a sample rate; resampled in the frequency domain, so exactly aligned."""
    with wave.open(str(SPEECH)) as file:
        rate, original = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    original = original[: len(original) // rate * rate]  # whole seconds, hence whole frames at every rate
    spectrum = np.fft.rfft(original)

    def at_rate(sample_rate: int) -> Samples:
        count = len(original) * sample_rate // rate
        resampled = np.fft.irfft(spectrum[: count // 2 + 1], count) * (count / len(original))
        clipped: Samples = np.clip(np.round(resampled), -32768, 32767).astype(np.int16)
        return clipped

    return at_rate


@pytest.fixture(scope="session")
def similarity() -> Callable[[Samples, Samples], float]:
    """The highest normalised correlation (−1…1) of two signals over all delays of the second up to 30 ms at 48 kHz."""

    def of(played: Samples, heard: Samples) -> float:
        count = min(len(played), len(heard))
        one, other = played[:count].astype(float), heard[:count].astype(float)
        spectrum = np.fft.rfft(one, 2 * count).conj() * np.fft.rfft(other, 2 * count)
        correlation = np.fft.irfft(spectrum, 2 * count)[:1440]
        return float(correlation.max() / np.sqrt((one**2).sum() * (other**2).sum()))

    return of


@pytest.fixture(scope="session")
def frames() -> Callable[[Samples, int], Iterator[bytes]]:
    """Cuts samples into frames of ``sample_count``; what is left at the end is dropped."""

    def of(samples: Samples, sample_count: int) -> Iterator[bytes]:
        for start in range(0, len(samples) - sample_count + 1, sample_count):
            yield samples[start : start + sample_count].tobytes()

    return of


@pytest.fixture(scope="session")
def resident_kib() -> Callable[[], int]:
    """The resident memory of this process."""

    def now() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    return now
