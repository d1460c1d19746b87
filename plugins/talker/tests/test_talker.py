import math
from array import array

import pytest
import trio
from glottis.testing.fake_call import fake_call
from glottis_talker import talk
from glottis_talker.tune import tune_at

RATE = 16000


def tone(seconds: float) -> bytes:
    samples = (round(6000 * math.sin(2 * math.pi * 300 * i / RATE)) for i in range(round(seconds * RATE)))
    return array("h", samples).tobytes()


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * RATE) * 2)


def tune(sample_count: int) -> bytes:
    pcm = b""
    while len(pcm) < 2 * sample_count:
        pcm += tune_at(RATE).read(len(pcm) // 2, 320)
    return pcm[: 2 * sample_count]


async def test_it_speaks_at_once_and_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(talk) as call:
        await call.caller_speaks(silence(20))
        heard = call.heard_pcm
    assert len(heard) / 2 / RATE == pytest.approx(20, abs=0.04)
    assert heard == tune(len(heard) // 2)


async def test_it_falls_silent_within_a_frame_of_the_callers_voice(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(talk) as call:
        await call.caller_speaks(silence(2) + tone(0.06))
        before = len(call.heard_pcm)
        await call.caller_speaks(tone(1))
        assert not call.is_speaking
        assert (len(call.heard_pcm) - before) / 2 / RATE <= 0.02
        [(name, data)] = call.sent_events
        assert name == "interrupted"
        assert data["sentSeconds"] == pytest.approx(2.04, abs=0.03)
        assert 0.15 < data["droppedSeconds"] < 0.25


async def test_it_goes_on_where_it_stopped_when_the_caller_is_silent(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(talk) as call:
        await call.caller_speaks(silence(1) + tone(1) + silence(0.5))
        interrupted_at = len(call.heard_pcm)
        await call.caller_speaks(silence(2))
        heard = call.heard_pcm
        assert len(heard) > interrupted_at + 2 * RATE
        assert heard == tune(len(heard) // 2)
        assert [name for name, _ in call.sent_events] == ["interrupted", "heard"]
        assert call.sent_events[1][1]["speechSeconds"] == pytest.approx(1, abs=0.1)


async def test_it_goes_on_when_the_caller_stops_sending(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(talk) as call:
        await call.caller_speaks(silence(1) + tone(1))
        await trio.sleep(0.7)
        assert call.is_speaking
