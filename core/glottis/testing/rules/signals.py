"""Sound to try plugins with, and what is left of it afterwards; without numpy, which a plugin need not have."""

import math
import random
from array import array
from functools import cache
from operator import mul
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE

TONE_HZ: Final = 440
AMPLITUDE: Final = 8000


def sample_count(sample_rate: int, milliseconds: float) -> int:
    """How many samples a time has."""
    return round(sample_rate * milliseconds / 1000)


@cache
def tone(sample_rate: int, milliseconds: int, hertz: float = TONE_HZ) -> bytes:
    """A steady tone."""
    step = 2 * math.pi * hertz / sample_rate
    count = sample_count(sample_rate, milliseconds)
    return array("h", (round(AMPLITUDE * math.sin(step * n)) for n in range(count))).tobytes()


@cache
def melody(sample_rate: int, milliseconds: int) -> bytes:
    """Changes its pitch every 30 ms, which nobody can foretell who has heard no more than what was before."""
    pcm = b""
    while len(pcm) < sample_count(sample_rate, milliseconds) * BYTES_PER_SAMPLE:
        index = len(pcm) // BYTES_PER_SAMPLE // sample_count(sample_rate, 30)
        pcm += tone(sample_rate, 30, (300, 620, 210, 480, 350, 900, 270)[index % 7])
    return pcm[: sample_count(sample_rate, milliseconds) * BYTES_PER_SAMPLE]


@cache
def noise(sample_rate: int) -> bytes:
    """Half a second of what is heard in a quiet room."""
    rng = random.Random(1)
    return array("h", (round(rng.gauss(0, 300)) for _ in range(sample_rate // 2))).tobytes()


@cache
def clipped(sample_rate: int) -> bytes:
    """A fifth of a second of a square wave at full scale."""
    half = sample_rate // 400
    return array("h", (32767 if n // half % 2 else -32768 for n in range(sample_rate // 5))).tobytes()


def pieces(pcm: bytes, count: int) -> list[bytes]:
    """Whole frames of ``count`` samples; what is left at the end is dropped."""
    size = count * BYTES_PER_SAMPLE
    return [pcm[start : start + size] for start in range(0, len(pcm) - size + 1, size)]


def energy(pcm: bytes) -> float:
    """The mean square of the samples."""
    samples = array("h", pcm).tolist()
    return sum(map(mul, samples, samples)) / len(samples) if samples else 0.0


def difference(one: bytes, other: bytes) -> float:
    """The mean square by which two signals differ."""
    pairs = list(zip(array("h", one), array("h", other), strict=True))
    return sum((a - b) ** 2 for a, b in pairs) / len(pairs) if pairs else 0.0


def tone_level(pcm: bytes, sample_rate: int) -> float:
    """The amplitude of ``TONE_HZ`` in the sound, relative to ``AMPLITUDE``; whatever the delay is."""
    return math.sqrt(2 * _tone_energy(pcm, sample_rate)) / AMPLITUDE


def signal_to_noise_db(pcm: bytes, sample_rate: int) -> float:
    """Of ``TONE_HZ`` to all else that is in the sound, in decibels; whatever the delay is.

    ``pcm`` holds whole cycles: then sine and cosine are orthogonal, and their parts add up to that of the tone.
    """
    of_tone = _tone_energy(pcm, sample_rate)
    noise = max(energy(pcm) - of_tone, 1e-9)
    return 10 * math.log10(max(of_tone, 1e-9) / noise)


def _tone_energy(pcm: bytes, sample_rate: int) -> float:
    samples = array("h", pcm).tolist()
    if not samples:
        return 0.0
    sines, cosines = _waves(sample_rate, len(samples))
    parts = (sum(map(mul, samples, wave)) for wave in (sines, cosines))
    energies = ((2 * part / len(samples)) ** 2 for part in parts)
    return math.fsum(energies) / 2


@cache
def _waves(sample_rate: int, count: int) -> tuple[list[float], list[float]]:
    step = 2 * math.pi * TONE_HZ / sample_rate
    return [math.sin(step * n) for n in range(count)], [math.cos(step * n) for n in range(count)]
