"""Keys amid speech and noise, by libspandsp."""

from collections.abc import Callable

import numpy as np
import pytest
from glottis_spandsp import DtmfDetector
from numpy.typing import NDArray

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"
RATES = (8000, 16000, 24000, 48000)
Signal = NDArray[np.float64]


def tone(key: str, rate: int, seconds: float = 0.08, level: float = 4000.0) -> Signal:
    """ITU-T Q.23: one of four low frequencies, and one of four high ones."""
    row, column = divmod(KEYS.index(key), 4)
    times = 2 * np.pi * np.arange(round(rate * seconds)) / rate
    both: Signal = level * (np.sin(times * LOW[row]) + np.sin(times * HIGH[column]))
    return both


def pressed(signal: Signal, rate: int) -> tuple[str, list[float]]:
    """Which keys were heard, and how long each was down, in frames of 20 ms."""
    detector = DtmfDetector(rate)
    frame = rate // 50
    keys, lengths = "", [0.0]
    for start in range(0, len(signal) - frame + 1, frame):
        new = detector.hear(signal[start : start + frame].astype(np.int16).tobytes())
        keys += new
        lengths += [0.0] * len(new)
        lengths[-1] += detector.is_down
    return keys, lengths[1:]


@pytest.mark.parametrize("rate", RATES)
def test_each_key_is_heard_once(rate: int) -> None:
    pause = np.zeros(rate * 6 // 100)
    signal = np.concatenate([part for key in KEYS for part in (tone(key, rate), pause)])
    assert pressed(signal, rate)[0] == KEYS


def test_a_key_that_is_held_is_one_and_a_key_pressed_twice_is_two() -> None:
    pause = np.zeros(8000 // 10)
    held = np.concatenate([tone("5", 8000, 1.0), pause, tone("5", 8000), pause, tone("5", 8000), pause])
    keys, lengths = pressed(held, 8000)
    assert keys == "555"
    assert lengths[0] == pytest.approx(50, abs=3)


def test_keys_are_heard_in_noise() -> None:
    rng = np.random.default_rng(1)
    signal = np.concatenate([part for key in "0123456789" for part in (tone(key, 8000), np.zeros(640))])
    assert pressed(signal + rng.normal(0, 400, len(signal)), 8000)[0] == "0123456789"


def test_speech_and_noise_are_no_keys(speech: Callable[[int], NDArray[np.int16]]) -> None:
    rng = np.random.default_rng(2)
    assert pressed(np.tile(speech(16000), 10).astype(np.float64), 16000)[0] == ""
    assert pressed(rng.normal(0, 3000, 8000 * 20), 8000)[0] == ""
