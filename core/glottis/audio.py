"""Helpers for agents that make audio, or look at it: files, floating point, pieces, mixtures, levels, sample rates.

All of them are plain functions of ``AudioFrame``, of any length. They take milliseconds for a second of audio: what is
longer belongs into ``trio.to_thread.run_sync``.
"""

import math
import wave
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from operator import mul
from os import PathLike, fspath
from typing import IO, Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame
from glottis.contracts.checks import check_instance, check_integer
from glottis.contracts.components import Component
from glottis.contracts.resampling import Resampling

FULL_SCALE: Final = 32768
SILENCE_DBFS: Final = -96.0
"""The level of silence, and the lowest there is."""
MAX_RESAMPLED_SECONDS: Final = 0.2
"""Of what a ``Resampler`` takes at once."""

File = str | PathLike[str] | IO[bytes]


def read_wav(file: File) -> AudioFrame:
    """A WAV file of 16-bit samples; several channels become one, their mean.

    Raises ``ValueError`` for other files, and ``OSError``.
    """
    try:
        with wave.open(_openable(file), "rb") as recording:
            width, channels, rate = recording.getsampwidth(), recording.getnchannels(), recording.getframerate()
            data = recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"read_wav: expected a WAV file of PCM samples: {str(error) or 'it ends too early'}") from None
    if width != BYTES_PER_SAMPLE:
        raise ValueError(f"read_wav: expected samples of 16 bits, got {8 * width}: convert the file")
    samples = array("h", data[: len(data) // (width * channels) * width * channels])
    if channels > 1:
        samples = array("h", (sum(each) // channels for each in zip(*[iter(samples)] * channels, strict=True)))
    return AudioFrame(samples.tobytes(), rate)


def write_wav(file: File, audio: AudioFrame | Iterable[AudioFrame]) -> None:
    """Write frames of one sample rate, one after the other, as a WAV file of 16-bit samples.

    Raises ``ValueError`` for none, and for frames of several rates.
    """
    whole = audio if isinstance(audio, AudioFrame) else joined(audio)
    with wave.open(_openable(file), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(BYTES_PER_SAMPLE)
        recording.setframerate(whole.sample_rate)
        recording.writeframes(whole.pcm)


def joined(frames: Iterable[AudioFrame]) -> AudioFrame:
    """Frames of one sample rate as one, at the time of the first. Raises ``ValueError`` as ``write_wav`` does."""
    every = list(frames)
    rate = _rate_of("joined", every)
    return AudioFrame(b"".join(frame.pcm for frame in every), rate, every[0].timestamp)


def chunks(frame: AudioFrame, seconds: float = FRAME_SECONDS) -> Iterator[AudioFrame]:
    """The frame in pieces of this length; the last may be shorter. Raises ``ValueError`` for less than a sample."""
    check_instance("chunks", frame, AudioFrame)
    check_instance("chunks: seconds", seconds, int | float)
    if not 1 / frame.sample_rate <= seconds < math.inf:
        raise ValueError(f"chunks: expected at least one sample each, got {seconds:g} s of {frame.sample_rate} Hz")
    count = round(seconds * frame.sample_rate)
    for start in range(0, frame.sample_count, count):
        pcm = frame.pcm[start * BYTES_PER_SAMPLE : (start + count) * BYTES_PER_SAMPLE]
        yield AudioFrame(pcm, frame.sample_rate, frame.timestamp + start)


def mixed(*frames: AudioFrame) -> AudioFrame:
    """All of them at a time, from the start of each; as long as the longest, and cut off at full scale.

    Raises ``ValueError`` for none, and for frames of several rates.
    """
    rate = _rate_of("mixed", frames)
    sums = map(sum, zip_longest(*(frame.samples for frame in frames), fillvalue=0))
    return AudioFrame(array("h", map(_clipped, sums)).tobytes(), rate, frames[0].timestamp)


def level_dbfs(frame: AudioFrame) -> float:
    """Mean power in decibels relative to a full-scale square wave; -96 for silence."""
    check_instance("level_dbfs", frame, AudioFrame)
    samples = frame.samples.tolist()
    power = sum(map(mul, samples, samples)) / len(samples) / FULL_SCALE**2 if samples else 0.0
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power else SILENCE_DBFS


def from_floats(samples: object, sample_rate: int, timestamp: int = 0) -> AudioFrame:
    """Floating-point samples from -1 to 1, in one row: an ``array("f")``, or a numpy array of float32 or float64.

    What is beyond is cut off. Raises ``ValueError`` for other buffers, and for samples that are no numbers.
    """
    try:
        view = memoryview(samples)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"from_floats: expected a buffer of floats, got {type(samples).__name__}") from None
    if view.format not in ("f", "d") or view.ndim != 1:
        raise ValueError(
            f"from_floats: expected mono samples in one row, of the format 'f' or 'd', "
            f"got {view.format!r} in the shape {view.shape}"
        )
    try:
        scaled = [_clipped(round(FULL_SCALE * min(max(sample, -1.0), 1.0))) for sample in view.tolist()]
    except ValueError:
        raise ValueError("from_floats: expected numbers from -1 to 1, got one that is not a number") from None
    return AudioFrame(array("h", scaled).tobytes(), sample_rate, timestamp)


def to_floats(frame: AudioFrame) -> "array[float]":
    """The samples as 32-bit floats from -1 to 1; ``numpy.asarray`` wraps them without a copy."""
    check_instance("to_floats", frame, AudioFrame)
    return array("f", [sample / FULL_SCALE for sample in frame.samples])


def resampled(frame: AudioFrame, sample_rate: int, resampling: Resampling) -> AudioFrame:
    """The frame at another rate in hertz, as long as before, by a component such as ``speex`` (which delays 3 ms).

    A stream is resampled piece by piece instead, by one ``resampling.create_resampler(from_rate, to_rate)``. Raises
    ``ValueError`` for rates that have no whole samples in 200 ms.
    """
    check_instance("resampled", frame, AudioFrame)
    check_integer("resampled", sample_rate, 1)
    if not callable(getattr(resampling, "create_resampler", None)):
        is_component = isinstance(resampling, Component)
        got = f"{resampling!r}, which can make() one" if is_component else type(resampling).__name__
        raise ValueError(f"resampled: expected a Resampling, got {got}")
    if sample_rate == frame.sample_rate:
        return frame
    group = frame.sample_rate // math.gcd(frame.sample_rate, sample_rate)
    if group > MAX_RESAMPLED_SECONDS * frame.sample_rate:
        raise ValueError(f"resampled: {frame.sample_rate} and {sample_rate} Hz have no whole samples in 200 ms")
    step = group * int(MAX_RESAMPLED_SECONDS * frame.sample_rate / group) * BYTES_PER_SAMPLE
    resampler = resampling.create_resampler(frame.sample_rate, sample_rate)
    padded = frame.pcm.ljust(-(-len(frame.pcm) // step) * step, b"\0")
    pcm = b"".join(resampler.resample(padded[start : start + step]) for start in range(0, len(padded), step))
    count = round(frame.sample_count * sample_rate / frame.sample_rate)
    timestamp = round(frame.timestamp * sample_rate / frame.sample_rate)
    return AudioFrame(pcm[: count * BYTES_PER_SAMPLE], sample_rate, timestamp)


def _rate_of(what: str, frames: Sequence[AudioFrame]) -> int:
    for frame in frames:
        check_instance(what, frame, AudioFrame)
    rates = {frame.sample_rate for frame in frames}
    if len(rates) != 1:
        found = ", ".join(f"{rate} Hz" for rate in sorted(rates)) or "none"
        raise ValueError(f"{what}: expected frames of one sample rate, got {found}: resample them")
    return rates.pop()


def _clipped(sample: int) -> int:
    return max(-FULL_SCALE, min(FULL_SCALE - 1, sample))


def _openable(file: File) -> str | IO[bytes]:
    return fspath(file) if isinstance(file, PathLike) else file
