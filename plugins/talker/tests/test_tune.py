from array import array
from itertools import pairwise

import pytest
from glottis import AudioFrame
from glottis.audio import level_dbfs
from glottis_talker.tune import Tune, tune_at


def whole(tune: Tune) -> bytes:
    pcm = b""
    while len(pcm) < 2 * len(tune):
        pcm += tune.read(len(pcm) // 2, 320)
    return pcm


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_the_tune_has_no_clicks_and_a_comfortable_level(rate: int) -> None:
    samples = array("h", whole(tune_at(rate)))
    assert len(samples) == len(tune_at(rate)) == 32 * 0.4 * rate
    steepest = max(abs(after - before) for before, after in pairwise(samples))
    assert steepest < 8000 * 8000 / rate
    assert -18 < level_dbfs(AudioFrame(samples.tobytes(), rate)) < -10


def test_the_tune_goes_round_and_back() -> None:
    tune = tune_at(8000)
    assert tune.read(len(tune) + 5, 160) == tune.read(5, 160) == tune.read(5 - len(tune), 160)


def test_a_read_ends_with_the_note() -> None:
    tune = tune_at(8000)
    assert len(tune.read(3200 - 10, 160)) == 20


def test_a_rate_is_synthesised_once() -> None:
    assert tune_at(16000) is tune_at(16000)
