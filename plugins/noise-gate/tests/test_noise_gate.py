import math
import random
from array import array
from collections.abc import Iterable
from itertools import pairwise

import pytest
from glottis import AudioFrame, CallInfo, Direction
from glottis.audio import joined, level_dbfs
from glottis_noise_gate import GateConfig, NoiseGate, audio_processors

RATE = 16000
DEFAULT = GateConfig()


def frame_of(samples: Iterable[int]) -> AudioFrame:
    return AudioFrame(array("h", samples).tobytes(), RATE)


def noise(frames: int, dbfs: float) -> list[AudioFrame]:
    rng, deviation = random.Random(1), 32768 * 10 ** (dbfs / 20)
    return [frame_of(round(rng.gauss(0, deviation)) for _ in range(320)) for _ in range(frames)]


def tone(frames: int) -> list[AudioFrame]:
    samples = [round(8000 * math.sin(2 * math.pi * 400 * index / RATE)) for index in range(320)]
    return [frame_of(samples)] * frames


def through(frames: list[AudioFrame], settings: GateConfig = DEFAULT) -> list[AudioFrame]:
    gate = NoiseGate(settings)
    return [gate.process(frame) for frame in frames]


def test_quiet_noise_becomes_silence_and_speech_stays() -> None:
    heard = through([*noise(5, -60), *tone(3)])
    assert {level_dbfs(frame) for frame in heard[:5]} == {-96.0}
    assert heard[6:] == tone(2)


def test_what_follows_speech_stays_until_the_hold_is_over() -> None:
    after = noise(20, -60)
    heard = through([*tone(1), *after], GateConfig(hold_ms=100))[1:]
    assert heard[:5] == after[:5]
    assert {level_dbfs(frame) for frame in heard[6:]} == {-96.0}


def test_nothing_clicks_when_the_gate_opens_and_closes() -> None:
    quiet = [frame_of([90] * 320)] * 3  # -51 dBFS
    pcm = joined(through([*quiet, *tone(2), *quiet], GateConfig(hold_ms=0))).samples.tolist()
    steps = [abs(after - before) for before, after in pairwise(pcm)]
    assert max(steps[: 3 * 320 + 80]) < 1300  # as steep as the tone itself
    assert max(steps[5 * 320 + 1 :]) <= 2


@pytest.mark.parametrize("samples", [80, 160, 320, 960])
def test_frames_keep_their_length_rate_and_time(samples: int) -> None:
    for frame in (AudioFrame(bytes(2 * samples), 8000, 7), AudioFrame(b"\x00\x40" * samples, 8000, 7)):
        (out,) = through([frame])
        assert (out.sample_count, out.sample_rate, out.timestamp) == (samples, 8000, 7)


@pytest.mark.parametrize("direction", ["input", "output"])
def test_a_direction_has_a_gate_if_it_is_to_have_one(direction: Direction) -> None:
    info = CallInfo("s", "c")
    assert len(audio_processors(info, direction, GateConfig(directions=(direction,)))) == 1
    assert audio_processors(info, direction, GateConfig(directions=())) == []
