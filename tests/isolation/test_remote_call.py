"""An agent in a worker has the same ``Call``: what is said and heard, written and told goes through the pipe."""

from collections.abc import Callable

import pytest
import trio
import trio.testing
from glottis import AudioFrame, Call, CallInfo
from glottis.calls.inbox import MESSAGES_AHEAD
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.call import BytesMessage, Dropped, Heard, TextMessage
from glottis.contracts.errors import LocalError, MessageTooLong, PluginError
from glottis.contracts.events import Interrupted, StateChanged
from glottis.rtp import KeyDown, KeyUp
from support.remote_call import RATE, Caller, remote_call

FRAME = bytes(range(256)) * 2 + bytes(128)
"""20 ms at the call's rate."""
SECOND = FRAME * 50


async def echo(call: Call) -> None:
    async for frame in call.audio:
        await call.say(frame)


@pytest.mark.parametrize("frame_ms", [10, 20])
async def test_what_is_heard_can_be_said(frame_ms: int, autojump_clock: trio.testing.MockClock) -> None:
    async def echo_frames(call: Call) -> None:
        assert call.frame_ms == frame_ms
        async for frame in call.audio:
            assert frame.sample_count == frame_ms * RATE // 1000
            await call.say(frame)

    async with remote_call(echo_frames, frame_ms=frame_ms) as caller:
        await caller.waits(0.1)
        await caller.speaks(SECOND)
        await caller.waits(0.2)
        assert caller.voice.sent_pcm == SECOND


async def test_packets_pass_as_they_are(autojump_clock: trio.testing.MockClock) -> None:
    async def relay(call: Call) -> None:
        async for packet in call.packets:
            await call.say(packet)

    packets = [EncodedPacket(bytes([number]), "opus", 48000, 960 * number, 960) for number in range(5)]
    async with remote_call(relay) as caller:
        await caller.waits(0.1)
        for packet in packets:
            caller.voice.relay(packet)
        await caller.waits(0.3)
        assert caller.voice.sent_packets == packets


async def test_what_is_said_is_held_back_at_the_pace_of_time(autojump_clock: trio.testing.MockClock) -> None:
    times = []

    async def talk(call: Call) -> None:
        started_at = trio.current_time()
        await call.say(AudioFrame(SECOND, RATE))
        times.append(trio.current_time() - started_at)

    async with remote_call(talk) as caller:
        await caller.over.wait()
    assert caller.voice.sent_pcm == SECOND
    assert times == [pytest.approx(0.8, abs=0.05)]


async def test_flush_says_to_a_frame_how_much_was_sent(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[Heard] = []

    async def talk(call: Call) -> None:
        utterance = call.start_saying([AudioFrame(SECOND, RATE)])
        await trio.sleep(0.5)
        heard.append(utterance.cancel())
        await call.say(AudioFrame(FRAME * 5, RATE))
        await call.drain()
        await call.say(AudioFrame(SECOND, RATE))
        heard.append(call.flush())

    async with remote_call(talk) as caller:
        await caller.over.wait()
        sent = len(caller.voice.sent_pcm) / len(SECOND)
    first, second = heard
    assert first.sent + second.sent + 0.1 == pytest.approx(sent, abs=0.041)
    assert first.sent == pytest.approx(0.5, abs=0.041)
    assert first.sent + first.dropped == pytest.approx(1.0)


async def test_messages_go_both_ways_and_add_metadata(autojump_clock: trio.testing.MockClock) -> None:
    seen = []

    async def reply(call: Call) -> None:
        async for message in call.messages:
            seen.append(call.info.metadata)
            if isinstance(message, BytesMessage):
                await call.send_bytes(message.data, message.channel)
            else:
                await call.send_text(message.text.upper(), message.channel)
                await call.send_event("done", {"count": len(seen)})

    info = CallInfo(session_id="s", campaign_id="c", metadata={"big": 10**30})
    async with remote_call(reply, info=info) as caller:
        caller.writes(TextMessage("first"))
        await caller.waits(0.1)
        caller.client.open_channel("chat")
        caller.client.messenger.handle_text('{"type":"metadata","mood":"good"}')
        caller.writes(BytesMessage(b"\0\1", "chat"))
        await caller.waits(0.1)
    assert caller.client.messages == [
        ("FIRST", None),
        ('{"TYPE":"METADATA","MOOD":"GOOD"}', "chat"),
        (b"\0\1", "chat"),
    ]
    assert caller.client.events == [("done", {"count": 1}), ("done", {"count": 2})]
    assert seen == [{"big": 10**30}, {"big": 10**30, "mood": "good"}, {"big": 10**30, "mood": "good"}]


async def test_what_cannot_be_sent_is_the_same_error_as_ever(autojump_clock: trio.testing.MockClock) -> None:
    errors: list[BaseException] = []

    async def fail(call: Call) -> None:
        tries: list[Callable[[], object]] = [
            lambda: call.send_bytes(b"", "chat"),
            lambda: call.send_text("x" * 300_000),
            lambda: call.send_text("x" * 3_000_000),
            lambda: call.send_event("e", {"x": object()}),
        ]
        for attempt in tries:
            try:
                await attempt()  # type: ignore[misc]
            except LocalError as error:
                errors.append(error)

    async with remote_call(fail) as caller:
        await caller.over.wait()
    assert [type(error) for error in errors] == [LocalError, MessageTooLong, MessageTooLong, LocalError]


async def test_keys_events_and_settings_reach_the_agent(autojump_clock: trio.testing.MockClock) -> None:
    told: list[object] = []

    async def listen(call: Call) -> None:
        told.append(call.info.campaign_settings)
        told.append(await anext(call.events))
        key = await anext(call.dtmf)
        told.append((key.digit, await key.released()))
        await call.send_dtmf("12")
        call.hang_up("enough")
        await trio.sleep_forever()

    async with remote_call(listen) as caller:
        caller.call.push_event(StateChanged(state="active"))
        await caller.waits(0.1)
        caller.voice.press(KeyDown("5"))
        await caller.waits(0.1)
        caller.voice.press(KeyUp(0.1))
        await caller.over.wait()
    assert told == [{"greeting": "hello from listen"}, StateChanged(state="active"), ("5", 0.1)]
    assert caller.hang_up_reason == "enough"


async def test_an_agent_waits_for_a_channel(autojump_clock: trio.testing.MockClock) -> None:
    labels = []

    async def wait(call: Call) -> None:
        labels.append(await call.wait_for_channel())

    async with remote_call(wait) as caller:
        await caller.waits(0.1)
        caller.client.open_channel("chat")
        await caller.over.wait()
    assert labels == ["chat"]


async def test_a_client_is_held_back_while_the_agent_is_behind(autojump_clock: trio.testing.MockClock) -> None:
    go_on = trio.Event()

    async def dawdle(call: Call) -> None:
        stream = aiter(call.messages)
        await go_on.wait()
        async for _ in stream:
            pass

    async with remote_call(dawdle) as caller:
        await caller.waits(0.1)
        assert not caller.call.messages.is_behind
        for number in range(MESSAGES_AHEAD):
            caller.writes(TextMessage(str(number)))
        assert caller.call.messages.is_behind
        await caller.waits(0.1)
        assert caller.call.messages.is_behind
        go_on.set()
        await caller.waits(0.1)
        assert not caller.call.messages.is_behind
        assert caller.times_caught_up == 1


async def test_what_an_agent_is_too_slow_for_is_counted(autojump_clock: trio.testing.MockClock) -> None:
    async def dawdle(call: Call) -> None:
        await anext(call.audio)
        await trio.sleep_forever()

    async with remote_call(dawdle) as caller:
        await caller.waits(0.1)
        await caller.speaks(SECOND)
        await caller.waits(1)
        assert caller.call.dropped == Dropped(audio=39)


async def test_whose_error_it_is_comes_through_the_pipe(autojump_clock: trio.testing.MockClock) -> None:
    async def fail(call: Call) -> None:
        raise ValueError("no")

    async with remote_call(fail) as caller:
        await caller.over.wait()
    (error,) = caller.errors
    assert isinstance(error, PluginError)
    assert "ValueError: no" in str(error)
    assert counted(caller) == {"fail": (1, 1)}


async def test_an_agent_asks_for_another_way_of_the_media(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        call.restart_ice()

    async with remote_call(agent) as caller:
        await caller.over.wait()
    assert caller.restarts == 1


async def test_the_end_of_a_call_cancels_its_agent(autojump_clock: trio.testing.MockClock) -> None:
    ends: list[object] = []

    async def wait(call: Call) -> None:
        try:
            async for event in call.events:
                ends.append(event)
        finally:
            ends.append("cancelled")

    async with remote_call(wait) as caller:
        caller.call.push_event(Interrupted())
        await caller.waits(0.1)
        caller.scope.cancel()
        await caller.over.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert ends == [Interrupted(), "cancelled"]
        assert counted(caller) == {"wait": (1, 0)}


async def test_a_call_is_handed_to_colleagues_and_functions_with_all_that_comes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    said: list[object] = []

    async def reception(call: Call) -> None:
        said.append(call.agents)
        await call.say(AudioFrame(FRAME, RATE))
        call.transfer("sales")

    async def sales(call: Call) -> None:
        said.append(call.info.campaign_settings)
        said.append(await anext(aiter(call.messages)))
        call.transfer(manager)

    async def manager(call: Call) -> None:
        said.append(await anext(aiter(call.messages)))
        call.hang_up("sold")
        await trio.sleep_forever()

    async with remote_call(reception, sales) as caller:
        await caller.waits(0.1)
        caller.writes(TextMessage("first"))
        caller.writes(TextMessage("second"))
        await caller.over.wait()
    assert said == [
        ("reception", "sales"),
        {"greeting": "hello from sales"},
        TextMessage("first"),
        TextMessage("second"),
    ]
    assert caller.voice.sent_pcm == FRAME
    assert caller.serving == ["sales", "manager"]
    assert caller.hang_up_reason == "sold"
    assert counted(caller) == {"reception": (1, 0), "sales": (1, 0)}


async def test_to_hand_a_call_to_nobody_is_the_same_error_as_ever(autojump_clock: trio.testing.MockClock) -> None:
    async def fail(call: Call) -> None:
        call.transfer("nobody")

    async with remote_call(fail) as caller:
        await caller.over.wait()
    assert "no agent of this campaign is called 'nobody'; there are: fail" in str(caller.errors[0])


def counted(caller: Caller) -> dict[str, tuple[int, int]]:
    """Calls and errors of each agent of the campaign."""
    return {name: (timing.calls, timing.errors) for name, timing in caller.timings.items()}
