from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from glottis import (
    AudioFrame,
    Call,
    CallEvent,
    CallInfo,
    EncodedPacket,
    Interrupted,
    LocalError,
    PluginError,
    TextMessage,
)
from glottis.testing.fake_call import fake_call

RATE = 8000


def frame(seconds: float, fill: bytes = b"\x01\x00") -> AudioFrame:
    return AudioFrame(fill * round(seconds * RATE), RATE)


async def idle(call: Call) -> None:
    await trio.sleep_forever()


async def test_speech_leaves_at_the_pace_of_time_in_packets_of_20_ms(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle, sample_rate=RATE) as call:
        await call.say(frame(0.1))
        await trio.sleep(0.05)
        assert call.heard_pcm == frame(0.06).pcm
        assert call.is_speaking
        await call.drain()
        assert call.heard_pcm == frame(0.1).pcm
        assert not call.is_speaking


@pytest.mark.parametrize("seconds", [0.02, 10])
async def test_say_waits_while_much_is_queued(seconds: float, autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle, sample_rate=RATE) as call:
        began = trio.current_time()
        for _ in range(round(10 / seconds)):
            await call.say(frame(seconds))
        assert trio.current_time() - began == pytest.approx(9.8, abs=0.03)


async def test_flush_tells_sent_from_dropped_and_releases_who_speaks(autojump_clock: trio.testing.MockClock) -> None:
    said = trio.Event()

    async def speaker(call: Call) -> None:
        await call.say(frame(0.5))
        said.set()
        await trio.sleep_forever()

    async with fake_call(speaker, sample_rate=RATE) as call:
        await trio.sleep(0.09)
        heard = call.flush()
        assert heard.sent == pytest.approx(0.1)
        assert heard.dropped == pytest.approx(0.4)
        with trio.fail_after(0.01):
            await said.wait()
        await trio.sleep(1)
        assert call.heard_pcm == frame(0.1).pcm


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


async def test_the_agents_last_words_are_sent_before_the_call_ends(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        await call.say(frame(0.2))

    async with fake_call(agent, sample_rate=RATE) as call:
        await call.ended.wait()
        assert call.heard_pcm == frame(0.2).pcm


@pytest.mark.parametrize(
    ("audio", "rule"),
    [
        (AudioFrame(bytes(320), 16000), "sample rate is 8000 Hz"),
        (AudioFrame(bytes(319), RATE), "whole 16-bit samples"),
        (EncodedPacket(bytes(160), "opus", 48000, 0, 960), "this call sends PCMU, not opus"),
        (EncodedPacket(bytes(160), "PCMU", 48000, 0, 960), "expected PCMU/8000, got PCMU/48000"),
    ],
)
async def test_what_does_not_fit_the_call_is_refused(
    audio: AudioFrame | EncodedPacket, rule: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with fake_call(idle, sample_rate=RATE, encoding_name="PCMU", clock_rate=8000) as call:
        with pytest.raises(ValueError, match=rule):
            await call.say(audio)


async def test_the_caller_is_heard_in_whole_frames_at_their_time(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[tuple[float, AudioFrame]] = []

    async def agent(call: Call) -> None:
        async for sound in call.audio:
            heard.append((trio.current_time(), sound))

    async with fake_call(agent, sample_rate=RATE) as call:
        await call.caller_speaks(frame(0.05).pcm)
        await trio.sleep(0.15)
        await call.caller_speaks(bytearray(frame(0.02).pcm))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="3 bytes"):
            await call.caller_speaks(b"abc")
    began = heard[0][0]
    assert [round(time - began, 3) for time, _ in heard] == [0, 0.02, 0.04, 0.2]
    assert [sound.timestamp for _, sound in heard] == [0, 160, 320, 1600]
    assert [sound.pcm for _, sound in heard[1:]] == [
        frame(0.02).pcm,
        frame(0.01).pcm + frame(0.01, b"\0\0").pcm,
        frame(0.02).pcm,
    ]


async def test_an_agent_can_have_frames_of_10_ms_at_their_time(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[tuple[float, int]] = []

    async def agent(call: Call) -> None:
        assert call.frame_ms == 10
        async for sound in call.audio:
            heard.append((trio.current_time(), sound.sample_count))
            await call.say(sound)

    async with fake_call(agent, sample_rate=RATE, frame_ms=10) as call:
        await call.caller_speaks(frame(0.05).pcm)
        await trio.sleep(0.05)
        assert call.heard_pcm == frame(0.05).pcm
    began = heard[0][0]
    assert [(round(time - began, 3), count) for time, count in heard] == [(0.01 * n, RATE // 100) for n in range(5)]


async def test_what_the_caller_says_before_the_agent_listens_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    heard = []

    async def agent(call: Call) -> None:
        audio = call.audio
        await trio.sleep(0.1)
        async for sound in audio:
            heard.append(sound.samples[0])

    async with fake_call(agent, sample_rate=RATE) as call:
        for value in range(10):
            await call.caller_speaks(frame(0.02, bytes([value, 0])).pcm)
    assert heard == [5, 6, 7, 8, 9]


async def test_packets_of_the_caller_come_at_their_time(autojump_clock: trio.testing.MockClock) -> None:
    packets = [EncodedPacket(b"%d" % number, "opus", 48000, number * 480, 480) for number in range(8)]
    heard: list[tuple[float, EncodedPacket]] = []

    async def agent(call: Call) -> None:
        async for packet in call.packets:
            heard.append((trio.current_time(), packet))

    async with fake_call(agent) as call:
        for packet in packets:
            call.caller_sends_packet(packet)
        await trio.sleep(1)
    assert [packet for _, packet in heard] == packets
    assert [round((time - heard[0][0]) / 0.02) for time, _ in heard] == [0, 0, 1, 1, 2, 2, 3, 3]


async def test_a_caller_who_is_left_while_speaking_speaks_to_the_end(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        await trio.sleep(0.1)

    async with fake_call(agent) as call:
        began = trio.current_time()
        await call.caller_speaks(bytes(32000))
        assert call.ended.is_set()
        assert trio.current_time() - began == pytest.approx(1)


async def test_bytes_need_a_channel_and_the_first_one_is_the_default(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as call:
        await call.send_text("by WebSocket", "chat")
        with pytest.raises(LocalError, match="need a data channel"):
            await call.send_bytes(b"lost")
        call.caller_opens_channel("files")
        call.caller_opens_channel("chat")
        await call.send_bytes(b"kept")
        await call.send_text("by chat", "chat")
        await call.send_event("seen", {"pair": (1, 2)})
        assert call.sent_messages == [("by WebSocket", None), (b"kept", "files"), ("by chat", "chat")]
        assert call.sent_events == [("seen", {"pair": [1, 2]})]


async def test_a_message_that_no_agent_would_get_is_the_tests_mistake(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as call:
        with pytest.raises(ValueError, match="would not get TextMessage"):
            call.caller_writes(TextMessage('{"type": "note"}'))


async def test_the_first_reason_to_hang_up_counts(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        call.hang_up("first")
        call.hang_up("second")

    async with fake_call(agent) as call:
        await call.ended.wait()
    assert call.hang_up_reason == "first"


async def test_the_agent_is_told_what_happens(autojump_clock: trio.testing.MockClock) -> None:
    told: list[CallEvent] = []

    async def listen(call: Call) -> None:
        async for event in call.events:
            told.append(event)

    async with fake_call(listen) as call:
        call.event_happens(Interrupted())
        await trio.testing.wait_all_tasks_blocked()
        call.caller_hangs_up()
    assert told == [Interrupted()]


async def test_an_agent_can_wait_for_a_channel(autojump_clock: trio.testing.MockClock) -> None:
    found: list[str] = []

    async def agent(call: Call) -> None:
        found.append(await call.wait_for_channel())
        found.append(await call.wait_for_channel("files"))
        await call.send_bytes(b"kept", "files")

    async with fake_call(agent) as call:
        await trio.sleep(1)
        assert found == []
        call.caller_opens_channel("chat")
        await trio.sleep(1)
        assert found == ["chat"]
        call.caller_opens_channel("files")
        await call.ended.wait()
        assert call.sent_messages == [(b"kept", "files")]


async def test_what_goes_wrong_in_what_is_being_said_ends_the_call(autojump_clock: trio.testing.MockClock) -> None:
    async def synthesise() -> AsyncIterator[bytes]:
        yield bytes(640)
        yield bytes(641)

    async def agent(call: Call) -> None:
        call.start_saying(synthesise())
        await trio.sleep_forever()

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="whole 16-bit samples"), flatten_subgroups=True):
        async with fake_call(agent) as call:
            await call.ended.wait()


async def test_who_is_handed_a_call_and_is_not_async_is_told(autojump_clock: trio.testing.MockClock) -> None:
    def answer(call: Call) -> None: ...

    async def hand_over(call: Call) -> None:
        call.transfer(answer)  # type: ignore[arg-type]

    with pytest.RaisesGroup(
        pytest.RaisesExc(LocalError, match="answer is not async, and returned NoneType"), flatten_subgroups=True
    ):
        async with fake_call(hand_over) as call:
            await call.ended.wait()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"agent": "my.py:agent"}, "agent: expected a function, got str"),
        ({"agent": idle, "sample_rate": "8000"}, "sample_rate: expected an integer, got str"),
        ({"agent": idle, "frame_ms": 15}, "frame_ms: expected one of 10, 20, got 15"),
    ],
)
async def test_what_makes_no_call_is_told_the_test(wrong: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        async with fake_call(**wrong):
            pass


async def test_an_agent_that_is_not_async_is_told(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(PluginError, match="the agent returned NoneType"), flatten_subgroups=True):
        async with fake_call(lambda call: None) as call:  # type: ignore[arg-type, return-value]
            await call.ended.wait()


async def test_who_reads_a_stream_without_async_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(idle) as call:
        for stream in (call.audio, call.messages, call.turns(Loud())):
            with pytest.raises(TypeError, match="is read by 'async for'"):
                list(stream)


class Loud:
    def detect(self, frame: AudioFrame) -> float:
        return 1.0
