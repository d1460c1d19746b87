"""What libspeexdsp takes away of an echo, measured on speech in a room that is simulated."""

import numpy as np
import pytest
from glottis.testing import ComponentContract
from glottis_spandsp.echo import SpeexEchoCanceller
from glottis_spandsp.plugin import register_components
from support.audio import SPEECH, read_wav

RATE = 16000
FRAME = RATE // 50


@pytest.mark.slow
class TestContract(ComponentContract):
    _, spec = register_components()


def room(seed: int = 1) -> np.ndarray:
    """An impulse response: 5 ms to the microphone, then reflections that fall by 60 dB in 0.2 s; 6 dB of loss."""
    rng = np.random.default_rng(seed)
    length = RATE // 10
    tail: np.ndarray = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / (0.2 * RATE)) * 0.05
    tail[: RATE // 200] = 0
    tail[RATE // 200] = 0.5
    return tail


def cancelled(heard: np.ndarray, played: np.ndarray, noise_db: int = 0) -> np.ndarray:
    canceller = SpeexEchoCanceller(RATE, 200, noise_db)
    frames = [
        canceller.cancel(
            np.clip(heard[at : at + FRAME], -32768, 32767).astype("<i2").tobytes(),
            played[at : at + FRAME].astype("<i2").tobytes(),
        )
        for at in range(0, len(heard) - FRAME + 1, FRAME)
    ]
    return np.frombuffer(b"".join(frames), "<i2").astype(float)


def level(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples)) + 1e-9))


def speech(seconds: int) -> np.ndarray:
    samples, rate = read_wav(SPEECH)
    assert rate == RATE
    return np.resize(samples.astype(float), seconds * RATE)


def likeness(original: np.ndarray, later: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(original[: len(original) - lag], later[lag:])[0, 1])


def delay() -> int:
    """Samples by which the suppressor is late, with nothing to cancel: it overlaps its windows."""
    far = speech(3)
    through = cancelled(far, np.zeros(len(far)))
    return max(range(2 * FRAME), key=lambda lag: likeness(far, through, lag))


def test_it_is_late_by_a_frame() -> None:
    assert abs(delay() - FRAME) <= 8


def test_echo_goes_and_who_speaks_at_the_same_time_stays() -> None:
    """In the last three seconds of ten; somebody near, 6 dB quieter than the echo, begins after six."""
    far = speech(10)
    echo = np.convolve(far, room())[: len(far)]
    near = np.zeros(len(far))
    near[6 * RATE :] = speech(10)[RATE : 5 * RATE] * 0.5
    both = cancelled(echo + near, far)
    late = slice(7 * RATE, None)
    assert level(echo[late]) - level(cancelled(echo, far)[late]) > 25
    assert abs(level(near[late]) - level(both[late])) < 1
    assert likeness(near[late], (echo + near)[late], 0) < 0.5
    assert likeness(near[late], both[late], delay()) > 0.85


def test_steady_noise_gets_quieter_only_where_that_is_asked_for() -> None:
    noise = np.random.default_rng(1).standard_normal(5 * RATE) * 300
    nothing = np.zeros(len(noise))
    late = slice(3 * RATE, None)
    left = [level(noise[late]) - level(cancelled(noise, nothing, limit)[late]) for limit in (0, 15)]
    assert abs(left[0]) < 1
    assert left[1] > 10


def test_frames_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="expected two frames of 320 samples"):
        SpeexEchoCanceller(RATE, 200, 0).cancel(bytes(640), bytes(2))
