"""Is what came back what was played? By correlation of the samples, not by counters."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
SPEECH = Path(__file__).parents[1] / "vectors" / "audio" / "speech_16k.wav"


def read_wav(path: Path) -> tuple[Samples, int]:
    """The samples of a mono 16-bit WAV file and its rate in hertz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return from_pcm(file.readframes(file.getnframes())), file.getframerate()


def write_wav(path: Path, pcm: bytes, sample_rate: int) -> None:
    """Write mono 16-bit samples."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm)


def from_pcm(pcm: bytes) -> Samples:
    """Signed 16-bit samples as floats."""
    return np.frombuffer(pcm, np.int16).astype(np.float64)


def similarity(heard: Samples, played: Samples, sample_rate: int, *, window: float = 0.4) -> float:
    """How well windows of ``heard`` are found somewhere in ``played``: 0 (unrelated) to 1 (the same but for volume).

    ``played`` is taken as a loop. The median over the windows that are not silent, so that one clock correction of the
    listener does not spoil the measure; 0 if nothing but silence was heard.
    """
    size = round(window * sample_rate)
    loudness = np.sqrt(np.mean(played**2))
    pieces = [heard[start : start + size] for start in range(0, len(heard) - size, size)]
    loop = _Loop(played, size)
    scores = [loop.best_match(piece) for piece in pieces if np.sqrt(np.mean(piece**2)) > 0.2 * loudness]
    return float(np.median(scores)) if scores else 0.0


def best_similarity(heard: Samples, played: Samples, sample_rate: int, *, window: float = 1.0) -> float:
    """The same of the best window of ``heard`` alone; a long one tells more."""
    size = round(window * sample_rate)
    loop = _Loop(played, size)
    pieces = (heard[start : start + size] for start in range(0, len(heard) - size + 1, size // 5))
    return max((loop.best_match(piece) for piece in pieces if piece.any()), default=0.0)


class _Loop:
    """What is played over and over, in which pieces of ``size`` samples are looked for."""

    def __init__(self, played: Samples, size: int) -> None:
        once = np.resize(played, len(played) + size)
        sums = np.concatenate([[0.0], np.cumsum(once**2)])
        self._energies = np.maximum(sums[size:] - sums[:-size], 1.0)
        self._length = 1 << (len(once) - 1).bit_length()
        self._spectrum = np.fft.rfft(once, self._length)

    def best_match(self, piece: Samples) -> float:
        """The highest normalised correlation of ``piece`` with any equally long part of the loop."""
        products = np.fft.irfft(self._spectrum * np.conj(np.fft.rfft(piece, self._length)), self._length)
        norms = np.sqrt(self._energies * np.sum(piece**2))
        return float(np.max(products[: len(norms)] / norms))
