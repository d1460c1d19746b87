import numpy as np
import pytest
from glottis.testing import ComponentContract
from glottis_spandsp._spandsp import ffi
from glottis_spandsp.plugin import register_components
from glottis_spandsp.resampler import Resampler, create_resampler

RATES = [(8000, 16000), (8000, 24000), (8000, 48000), (16000, 24000), (16000, 48000)]
BOTH_WAYS = RATES + [(high, low) for low, high in RATES]


@pytest.mark.slow
class TestContract(ComponentContract):
    spec, _ = register_components()


def resampled(resampler: Resampler, samples: np.ndarray) -> np.ndarray:
    output, count = resampler.resample(ffi.from_buffer("int16_t[]", samples.tobytes()), len(samples))
    return np.frombuffer(ffi.buffer(output, 2 * count)[:], np.int16)


@pytest.mark.parametrize(("from_rate", "to_rate"), BOTH_WAYS)
def test_every_frame_has_its_exact_length_from_the_first_on(from_rate: int, to_rate: int) -> None:
    resampler = Resampler(from_rate, to_rate, from_rate // 50)
    frame = np.ones(from_rate // 50, np.int16)
    assert {len(resampled(resampler, frame)) for _ in range(500)} == {to_rate // 50}


@pytest.mark.parametrize(("from_rate", "to_rate"), BOTH_WAYS)
def test_frames_of_changing_length_do_not_drift(from_rate: int, to_rate: int) -> None:
    resampler = Resampler(from_rate, to_rate, from_rate // 10)
    lengths = [milliseconds * from_rate // 1000 for milliseconds in (1, 7, 100, 3, 20, 60, 2)] * 20
    written = [len(resampled(resampler, np.zeros(length, np.int16))) for length in lengths]
    assert written == [length * to_rate // from_rate for length in lengths]


@pytest.mark.parametrize(("from_rate", "to_rate"), BOTH_WAYS)
def test_tone_keeps_pitch_and_level(from_rate: int, to_rate: int) -> None:
    resampler = Resampler(from_rate, to_rate, from_rate)
    heard = resampled(resampler, (10000 * np.sin(2 * np.pi * 500 * np.arange(from_rate) / from_rate)).astype(np.int16))
    settled = heard[to_rate // 2 :].astype(float)
    time = np.arange(to_rate // 2, to_rate) / to_rate
    component = 2 * (settled * np.exp(-2j * np.pi * 500 * time)).mean()
    assert abs(component) == pytest.approx(10000, rel=0.03)
    assert np.abs(settled - np.imag(np.exp(2j * np.pi * 500 * time) * component * 1j)).max() < 200


@pytest.mark.parametrize(("from_rate", "to_rate"), BOTH_WAYS)
def test_delay_is_three_milliseconds_at_most(from_rate: int, to_rate: int) -> None:
    click = np.zeros(from_rate // 10, np.int16)
    click[0] = 20000
    heard = resampled(Resampler(from_rate, to_rate, len(click)), click)
    assert 0 < np.abs(heard).argmax() / to_rate <= 0.003


def test_equal_rates_are_passed_through_untouched() -> None:
    samples = ffi.new("int16_t[]", 3)
    assert create_resampler(8000, 8000, 160).resample(samples, 3) == (samples, 3)
