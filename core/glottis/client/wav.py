"""WAV files of speech: one to say, and one to keep what was heard."""

import wave
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame
from glottis.contracts.errors import LocalError

MAX_RECORDED_BYTES: Final = 0xFFFFFF00
"""What the 32-bit lengths of a WAV file can tell, less its header; what is heard after that is not kept."""


class WavSpeech:
    """A file of 16-bit PCM, mono or stereo, at one of ``sample_rates``. Use as a context manager.

    Raises ``LocalError`` for another kind of file.
    """

    def __init__(self, path: Path, sample_rates: Sequence[int]) -> None:
        try:
            self._file = wave.open(str(path), "rb")  # noqa: SIM115 - closed by __exit__
        except (OSError, wave.Error, EOFError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"not a WAV file of PCM: {error}"
            raise LocalError(f"{path}: {reason}") from error
        self.sample_rate = self._file.getframerate()
        self._channels = self._file.getnchannels()
        try:
            self._check(path, sample_rates)
        except LocalError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the file."""
        self._file.close()

    def frames(self) -> Iterator[AudioFrame]:
        """The whole file in frames of 20 ms, mono; the last one may be shorter."""
        size = round(self.sample_rate * FRAME_SECONDS)
        while pcm := self._file.readframes(size):
            whole = pcm[: len(pcm) - len(pcm) % (BYTES_PER_SAMPLE * self._channels)]  # of a file that was cut off
            yield AudioFrame(_mono(whole) if self._channels == 2 else whole, self.sample_rate)

    def _check(self, path: Path, sample_rates: Sequence[int]) -> None:
        if self._file.getsampwidth() != BYTES_PER_SAMPLE or self._channels not in (1, 2):
            kind = f"{self._file.getsampwidth() * 8}-bit samples in {self._channels} channels"
            raise LocalError(f"{path}: expected 16-bit PCM, mono or stereo, found {kind}")
        if self.sample_rate not in sample_rates:
            accepted = ", ".join(map(str, sample_rates))
            raise LocalError(
                f"{path}: a sample rate of {self.sample_rate} Hz cannot be spoken; convert to {accepted} Hz"
            )


class WavRecording:
    """A mono file that is a valid one after every ``write``. Use as a context manager.

    Raises ``LocalError`` if the file cannot be written.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self._path = path
        try:
            self._disk = path.open("wb", buffering=0)  # so that others can read the whole file at any moment
        except OSError as error:
            raise LocalError(f"{path}: {error.strerror}") from error
        self._file = wave.open(self._disk, "wb")  # noqa: SIM115 - closed by __exit__
        self._file.setnchannels(1)
        self._file.setsampwidth(BYTES_PER_SAMPLE)
        self._file.setframerate(sample_rate)
        self._file.writeframes(b"")  # the header
        self._start: int | None = None
        self._sample_rate = sample_rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the file."""
        self._file.close()
        self._disk.close()

    def write(self, frame: AudioFrame) -> None:
        """Append a frame, after as much silence as its timestamp leaves since the one before."""
        if self._start is None:
            self._start = frame.timestamp
        try:
            self._write_silence(frame.timestamp - self._start - self._file.tell())
            self._write(frame.pcm)
        except OSError as error:
            raise LocalError(f"{self._path}: {error.strerror}") from error

    def _write_silence(self, samples: int) -> None:
        second = bytes(self._sample_rate * BYTES_PER_SAMPLE)
        for start in range(0, samples * BYTES_PER_SAMPLE, len(second)):
            self._write(second[: samples * BYTES_PER_SAMPLE - start])

    def _write(self, pcm: bytes) -> None:
        if self._file.tell() * BYTES_PER_SAMPLE + len(pcm) <= MAX_RECORDED_BYTES:
            self._file.writeframes(pcm)


def _mono(pcm: bytes) -> bytes:
    """The mean of two channels."""
    samples = array("h", pcm)
    pairs = zip(samples[::2], samples[1::2], strict=True)
    return array("h", [(left + right) // 2 for left, right in pairs]).tobytes()
