import math
import random
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from glottis import AudioFrame, TurnSettings
from glottis.calls.turns import TurnFinder
from glottis.testing import ComponentContract
from glottis_vad_energy import EnergyConfig, EnergyDetector, register_components

RATE = 16000
DEFAULT = EnergyConfig()
DEFAULT_TURNS = TurnSettings()
SPEECH = Path(__file__).parents[3] / "tests/vectors/audio/speech_16k.wav"


@pytest.mark.slow
class TestContract(ComponentContract):
    (spec,) = register_components()


def frames(pcm: bytes) -> Iterator[AudioFrame]:
    for position in range(0, len(pcm), 640):
        yield AudioFrame(pcm[position : position + 640], RATE)


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * RATE) * 2)


def noise(seconds: float, level: float) -> bytes:
    rng = random.Random(1)
    deviation = 32768 * 10 ** (level / 20)
    return array("h", (round(rng.gauss(0, deviation)) for _ in range(round(seconds * RATE)))).tobytes()


def tone(seconds: float, amplitude: float = 0.2) -> bytes:
    samples = (round(32767 * amplitude * math.sin(2 * math.pi * 300 * i / RATE)) for i in range(round(seconds * RATE)))
    return array("h", samples).tobytes()


def changes(
    pcm: bytes, config: EnergyConfig = DEFAULT, settings: TurnSettings = DEFAULT_TURNS
) -> list[tuple[bool, float]]:
    """When a turn began or ended, in seconds at the end of the frame that did it."""
    detector, finder, found, time = EnergyDetector(config), TurnFinder(settings), [], 0.0
    for frame in frames(pcm):
        before = finder.is_open
        finder.hear(frame, detector.detect(frame))
        time += frame.duration
        if finder.is_open != before:
            found.append((finder.is_open, round(time, 2)))
    return found


def test_silence_is_not_speech() -> None:
    assert changes(silence(5)) == []


@pytest.mark.parametrize("level", [-70, -50, -40, -35])
def test_steady_noise_is_not_speech(level: float) -> None:
    assert changes(noise(5, level)) == []


def test_sound_after_silence_is_speech_within_three_frames_and_ends_after_the_hangover() -> None:
    assert changes(silence(1) + tone(1) + silence(1)) == [(True, 1.06), (False, 2.6)]


def test_a_click_is_not_speech() -> None:
    assert changes(silence(1) + tone(0.04) + silence(1)) == []


def test_a_pause_between_words_does_not_end_speech() -> None:
    assert changes(silence(1) + tone(0.5) + silence(0.5) + tone(0.5) + silence(1)) == [(True, 1.06), (False, 3.1)]


def test_how_long_sound_and_silence_must_last_can_be_chosen() -> None:
    settings = TurnSettings(onset_ms=200, hangover_ms=100)
    heard = silence(1) + tone(0.18) + silence(0.5) + tone(0.5) + silence(0.5)
    assert changes(heard, settings=settings) == [(True, 1.88), (False, 2.28)]


def test_how_much_louder_speech_is_than_noise_can_be_chosen() -> None:
    heard = noise(1, -50) + noise(1, -40) + noise(1, -50)
    assert changes(heard) == []
    assert changes(heard, EnergyConfig(margin_db=6))[0] == (True, 1.06)


def test_a_tone_that_does_not_end_becomes_background() -> None:
    speaking, silent = changes(silence(1) + tone(10))
    assert speaking == (True, 1.06)
    assert silent[0] is False
    assert silent[1] < 8


@pytest.mark.parametrize("background", [-80, -50])
def test_real_speech_is_found_above_background_noise(background: float) -> None:
    with wave.open(str(SPEECH)) as recording:
        assert recording.getframerate() == RATE
        speech = array("h", recording.readframes(recording.getnframes()))
    before, after = round(1.0 * RATE), round(1.5 * RATE)
    mixed = array("h", noise((before + len(speech) + after) / RATE, background))
    for index, sample in enumerate(speech):
        mixed[before + index] = max(-32768, min(32767, mixed[before + index] + sample))
    found = changes(mixed.tobytes())
    assert found[0][0] is True
    assert 1.0 < found[0][1] < 1.5
    assert found[-1][0] is False
    assert len(found) <= 4
