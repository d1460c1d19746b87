import pytest
import trio
from glottis import AudioFrame, Call, CallInfo, TextMessage
from glottis.testing.fake_call import fake_call

RATE = 8000


def frame(seconds: float, fill: bytes = b"\x01\x00") -> AudioFrame:
    return AudioFrame(fill * round(seconds * RATE), RATE)


async def idle(call: Call) -> None:
    await trio.sleep_forever()


async def test_speech_leaves_at_the_pace_of_time(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle, sample_rate=RATE) as call:
        await call.say(frame(0.1))
        await trio.sleep(0.05)
        assert len(call.heard_pcm) == round(0.05 * RATE) * 2
        await call.drain()
        assert call.heard_pcm == frame(0.1).pcm
        assert not call.is_speaking


async def test_say_waits_while_much_is_queued(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle, sample_rate=RATE) as call:
        began = trio.current_time()
        for _ in range(50):
            await call.say(frame(0.02))
        assert trio.current_time() - began == pytest.approx(0.8, abs=0.03)


async def test_flush_tells_sent_from_dropped_and_releases_who_waits(autojump_clock: trio.testing.MockClock) -> None:
    said = trio.Event()

    async def speaker(call: Call) -> None:
        await call.say(frame(0.3))
        await call.say(frame(0.2))
        said.set()
        await trio.sleep_forever()

    async with fake_call(speaker, sample_rate=RATE) as call:
        await trio.sleep(0.09)
        heard = call.flush()
        assert heard.sent == pytest.approx(0.09)
        assert heard.dropped == pytest.approx(0.21 + 0.2)
        with trio.fail_after(0.01):
            await said.wait()
        await trio.sleep(1)
        assert len(call.heard_pcm) == round(0.09 * RATE) * 2


async def test_the_call_ends_with_its_agent_and_takes_its_tasks_along(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        call.nursery.start_soon(trio.sleep_forever)
        assert call.info.campaign_id == "sales"
        async for message in call.messages:
            assert message == TextMessage("bye")
            return

    async with fake_call(agent, info=CallInfo("session", "sales")) as call:
        call.caller_writes(TextMessage("bye"))
        with trio.fail_after(1):
            await call.ended.wait()


async def test_what_the_agent_raises_comes_out(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        raise KeyError("mine")

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the block is what is tested
        async with fake_call(agent) as call:
            await call.ended.wait()
            await trio.sleep(1)
    assert caught.group_contains(KeyError)


async def test_a_frame_of_another_rate_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as call:
        with pytest.raises(ValueError, match="16000 Hz"):
            await call.say(frame(0.02))
