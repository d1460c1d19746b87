"""Speech made shorter or longer by a pitch period."""

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from glottis.rtp.stretch import compressed, stretched

RATES = [8000, 16000, 24000, 48000]


def voice(sample_rate: int, pitch: float, seconds: float = 0.02) -> list[int]:
    """A vowel: three harmonics."""
    times = [2 * math.pi * pitch * number / sample_rate for number in range(round(seconds * sample_rate))]
    return [round(5000 * math.sin(t) + 3000 * math.sin(2 * t + 1) + 1500 * math.sin(4 * t + 2)) for t in times]


def pcm(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(2, "little", signed=True) for value in values)


def values(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[index : index + 2], "little", signed=True) for index in range(0, len(pcm), 2)]


def roughness(samples: list[int]) -> int:
    """The largest step between two samples: a click is larger than what a voice does."""
    return max(abs(one - other) for one, other in pairwise(samples))


@pytest.mark.parametrize(("change", "sign"), [(compressed, -1), (stretched, 1)])
@pytest.mark.parametrize("pitch", [80, 120, 210, 390])
@pytest.mark.parametrize("sample_rate", RATES)
def test_a_voice_goes_on_without_a_click_a_period_or_more_away(
    sample_rate: int, pitch: int, change: Callable[[bytes, int], bytes], sign: int
) -> None:
    sound = voice(sample_rate, pitch)
    changed = values(change(pcm(sound), sample_rate))
    period = sample_rate / pitch
    periods = sign * (len(changed) - len(sound)) / period
    assert periods == pytest.approx(max(1, round(periods)), abs=1.5 / period + 0.02)
    assert changed[0] == sound[0]
    assert changed[-1] == sound[-1]
    assert roughness(changed) <= 1.1 * roughness(sound)


@pytest.mark.parametrize("change", [compressed, stretched])
def test_what_has_no_period_stays_as_it_is(change: Callable[[bytes, int], bytes]) -> None:
    rng = random.Random(1)
    click = pcm([round(rng.gauss(0, 40) + (20000 if number == 7 else 0)) for number in range(320)])
    assert change(click, 16000) == click


def test_a_pause_loses_what_a_period_lasts_at_most() -> None:
    assert len(compressed(bytes(640), 16000, pause=0.02)) == 640 - 2 * 240
    assert len(stretched(bytes(640), 16000, pause=0.02)) == 640 + 2 * 240


@pytest.mark.parametrize("change", [compressed, stretched])
def test_less_than_what_is_needed_stays_as_it_is(change: Callable[[bytes, int], bytes]) -> None:
    sound = pcm(voice(16000, 120, 0.019))
    assert change(sound, 16000) == sound
    assert change(b"", 16000) == b""
