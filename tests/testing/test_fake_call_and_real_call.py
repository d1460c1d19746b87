"""The same agents and callers in a fake call and in a real one: both must see the same of each other."""

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import groupby, pairwise
from typing import Any

import pytest
import trio
import trio.testing
from glottis import AudioFrame, BytesMessage, Call, EncodedPacket, TextMessage, TurnSettings, TypedMessage
from glottis.testing.fake_call import FakeCall, fake_call
from support.patience import PROCESS_PATIENCE
from support.real_call import RATE, RealCall, real_call

TOLERANCE = 0.1
"""Seconds; a real call is heard through jitter buffers of 40–60 ms, and its media ticks come at other moments."""
PACKET = 0.02

AnyCall = FakeCall | RealCall
Agent = Callable[[Call, "Diary"], Awaitable[None]]
Caller = Callable[[AnyCall, "Diary"], Awaitable[None]]


class Diary:
    """What was seen, and when."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.times: list[float] = []
        self._began = trio.current_time()

    def note(self, what: str, value: object = None, *numbers: float) -> None:
        """Of what is noted under one name, ``numbers`` and the time may differ by the tolerance."""
        self.entries.append((what, value))
        self.times += [trio.current_time() - self._began, *numbers]


async def seen_in(open_call: AbstractAsyncContextManager[AnyCall], diary: Diary, caller: Caller) -> Diary:
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_call as call:
            await caller(call, diary)
    return diary


async def compare(agent: Agent, caller: Caller) -> Diary:
    """Have the conversation in both kinds of call, and compare the diaries; returns the fake one's."""
    fake = Diary()
    opened = fake_call(lambda call: agent(call, fake), encoding_name="linear", clock_rate=RATE)
    await seen_in(opened, fake, caller)
    real = Diary()
    await seen_in(real_call(lambda call: agent(call, real)), real, caller)
    assert fake.entries == real.entries
    assert fake.times == pytest.approx(real.times, abs=TOLERANCE)
    return fake


def sound(seconds: float, value: int = 1000) -> AudioFrame:
    return AudioFrame(array("h", [value] * round(seconds * RATE)), RATE)  # type: ignore[arg-type]


def packet(index: int = 0, **others: Any) -> EncodedPacket:
    fields: dict[str, Any] = {"encoding_name": "linear", "clock_rate": RATE, "payload": b"%04d" % index * 160}
    return EncodedPacket(**fields | {"rtp_timestamp": 320 * index, "duration": 320} | others)


SHORTEST_ROW = 0.002


def runs(pcm: bytes) -> dict[int, float]:
    """For how many seconds each value is heard in a row, without silence, or noise that fades in its place."""
    rows = [(value, len(list(run)) / RATE) for value, run in groupby(array("h", pcm)) if value]
    found = [(value, seconds) for value, seconds in rows if seconds >= SHORTEST_ROW]
    assert len(found) == len(dict(found)), "a row of values is interrupted"
    return dict(found)


async def until_the_end(call: AnyCall, diary: Diary) -> None:
    await call.ended.wait()
    diary.note("ended", call.hang_up_reason)
    await trio.sleep(0.1)
    heard = runs(call.heard_pcm)
    diary.note("heard", list(heard), *heard.values())


@pytest.mark.slow
async def test_a_long_speech_takes_its_time(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        await call.say(sound(10))
        diary.note("said")

    diary = await compare(agent, until_the_end)
    assert diary.times == pytest.approx([9.8, 10, 10.1, 10], abs=2 * PACKET)


async def test_small_frames_take_as_long_as_they_sound(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        for index in range(100):
            await call.say(sound(0.013, 1 + index))
        diary.note("said")
        await call.drain()
        diary.note("drained")

    async def caller(call: AnyCall, diary: Diary) -> None:
        await until_the_end(call, diary)
        diary.note("exactly", runs(call.heard_pcm))

    diary = await compare(agent, caller)
    assert diary.entries[-1] == ("exactly", dict.fromkeys(range(1, 101), 0.013))


async def test_speakers_take_turns_and_a_flush_ends_them_all(autojump_clock: trio.testing.MockClock) -> None:
    async def speak(call: Call, diary: Diary, seconds: float, value: int) -> None:
        await call.say(sound(seconds, value))
        diary.note("said", value)

    async def agent(call: Call, diary: Diary) -> None:
        async with trio.open_nursery() as nursery:
            for seconds, value in ((0.5, 1), (1.0, 2), (1.0, 3)):
                nursery.start_soon(speak, call, diary, seconds, value)
                await trio.sleep(0.001)
            await trio.sleep(1)
            for _ in range(2):
                heard = call.flush()
                diary.note("flush", None, heard.sent, heard.dropped)
                await trio.sleep(0.3)
        await call.say(sound(0.1, 4))

    diary = await compare(agent, until_the_end)
    assert diary.entries[-1] == ("heard", [1, 2, 4])
    assert diary.times[-3:] == pytest.approx([0.5, 0.5, 0.1], abs=2 * PACKET)


@pytest.mark.slow
async def test_what_was_started_is_interrupted_alone(autojump_clock: trio.testing.MockClock) -> None:
    async def synthesise() -> AsyncIterator[AudioFrame]:
        while True:
            yield sound(0.1, 2)
            await trio.sleep(0.05)

    async def agent(call: Call, diary: Diary) -> None:
        await call.say(sound(0.3, 1))
        endless = call.start_saying(synthesise())
        last = call.start_saying([sound(0.2, 3), sound(0.2, 3)])
        await trio.sleep(1)
        heard = endless.cancel()
        diary.note("cancelled", call.is_speaking, heard.sent, heard.dropped)
        await last.done.wait()
        diary.note("said", (call.is_speaking, last.heard.dropped), last.heard.sent)
        call.start_saying(sound(3, 4))
        await trio.sleep(0.5)
        diary.note("flushed", None, call.flush().sent)

    diary = await compare(agent, until_the_end)
    assert diary.entries[-1] == ("heard", [1, 2, 3, 4])
    assert diary.times[-4:] == pytest.approx([0.3, 0.8, 0.4, 0.5], abs=2 * PACKET)


async def test_the_callers_turns_are_found_at_the_same_times(autojump_clock: trio.testing.MockClock) -> None:
    class Loud:
        def detect(self, frame: AudioFrame) -> bool:
            return max(frame.samples) >= 1000

    async def agent(call: Call, diary: Diary) -> None:
        async for turn in call.turns(Loud(), TurnSettings(hangover_ms=200)):
            diary.note("began")
            whole = await turn.whole()
            loud = [value for value in whole.samples if value >= 1000]
            diary.note("ended", sorted(set(loud)), turn.spoken_seconds, whole.duration, len(loud) / RATE)

    async def caller(call: AnyCall, diary: Diary) -> None:
        words = [sound(0.5, 1000), sound(0.3, 0), sound(0.3, 2000), sound(0.1, 0), sound(0.2, 3000), sound(0.3, 0)]
        await call.caller_speaks(b"".join(word.pcm for word in words))

    diary = await compare(agent, caller)
    assert diary.entries == [("began", None), ("ended", [1000]), ("began", None), ("ended", [2000, 3000])]


async def test_packets_leave_at_their_pace(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        for index in range(50):
            await call.say(packet(index))
        diary.note("said")

    async def caller(call: AnyCall, diary: Diary) -> None:
        await trio.sleep(0.3)
        diary.note("early", None, len(call.sent_packets) * PACKET)
        await call.ended.wait()
        await trio.sleep(0.1)
        diary.note("sent", [sent.payload for sent in call.sent_packets])

    await compare(agent, caller)


MISTAKES: dict[str, Callable[[Call], Awaitable[None]]] = {
    "half a sample": lambda call: call.say(AudioFrame(bytes(641), RATE)),
    "another rate": lambda call: call.say(AudioFrame(bytes(640), 8000)),
    "floating point": lambda call: call.say(AudioFrame(array("f", [0.0] * 320), RATE)),  # type: ignore[arg-type]
    "text": lambda call: call.say(AudioFrame("sound", RATE)),  # type: ignore[arg-type]
    "no frame": lambda call: call.say(bytes(640)),  # type: ignore[arg-type]
    "nothing": lambda call: call.say(None),  # type: ignore[arg-type]
    "another codec": lambda call: call.say(packet(encoding_name="opus")),
    "another clock": lambda call: call.say(packet(clock_rate=8000)),
    "no codec": lambda call: call.say(packet(encoding_name=None)),
    "no duration": lambda call: call.say(packet(duration=0)),
    "half a unit": lambda call: call.say(packet(duration=320.5)),
    "a second": lambda call: call.say(packet(duration=RATE)),
    "no payload": lambda call: call.say(packet(payload=b"")),
    "a long payload": lambda call: call.say(packet(payload=bytes(1201))),
    "a list": lambda call: call.say(packet(payload=[1, 2])),
    "losses to come": lambda call: call.say(packet(lost_before=-1)),
    "no timestamp": lambda call: call.say(packet(rtp_timestamp=None)),
    "text of bytes": lambda call: call.send_text(b"hello"),  # type: ignore[arg-type]
    "half a character": lambda call: call.send_text("\ud83d"),
    "a long text": lambda call: call.send_text("x" * 300_000),
    "a label of bytes": lambda call: call.send_text("hello", b"chat"),  # type: ignore[arg-type]
    "bytes of text": lambda call: call.send_bytes("hello"),  # type: ignore[arg-type]
    "a number of bytes": lambda call: call.send_bytes(5),  # type: ignore[arg-type]
    "bytes without a channel": lambda call: call.send_bytes(b"hello"),
    "an event without a name": lambda call: call.send_event(None, {}),  # type: ignore[arg-type]
    "an event of text": lambda call: call.send_event("mood", "ready"),  # type: ignore[arg-type]
    "an event of objects": lambda call: call.send_event("mood", {"value": object}),
    "an event of the gateway's": lambda call: call.send_event("state", {}),
    "a frame of a rate of text": lambda call: call.say(AudioFrame(bytes(640), "16000")),  # type: ignore[arg-type]
    "a detector of a class": lambda call: as_awaitable(call.turns, Deaf),
    "turns without end": lambda call: as_awaitable(call.turns, Deaf(), TurnSettings(hangover_ms=-1)),
    "words for a truth": lambda call: as_awaitable(partial(call.forward, encoded="yes"), call),  # type: ignore[arg-type]
    "a class to hand over to": lambda call: as_awaitable(call.transfer, Deaf),
    "nobody to hand over to": lambda call: as_awaitable(call.transfer, "nobody"),
    "who takes no call": lambda call: as_awaitable(call.transfer, lambda: None),
    "no reason": lambda call: as_awaitable(call.hang_up, None),
}


class Deaf:
    def detect(self, frame: AudioFrame) -> float:
        return 0.0


async def as_awaitable(function: Callable[..., object], *arguments: object) -> None:
    function(*arguments)


async def test_mistakes_are_refused_at_once_by_the_same_words(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        for name, mistake in MISTAKES.items():
            try:
                await mistake(call)
            except Exception as error:
                diary.note(name, (type(error).__name__, str(error)))
            else:
                diary.note(name, "no error")

    diary = await compare(agent, until_the_end)
    errors = dict(diary.entries[:-2])
    unsendable = {"a long text", "bytes without a channel", "an event of objects"}
    assert {name for name, (error, _) in errors.items() if error == "ValueError"} == MISTAKES.keys() - unsendable
    assert {name for name, (error, _) in errors.items() if error in ("LocalError", "MessageTooLong")} == unsendable
    assert errors["a long text"][0] == "MessageTooLong"
    assert diary.times[:-2] == pytest.approx([0.0] * len(MISTAKES), abs=PACKET)


async def test_messages_go_both_ways_by_the_same_channels(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        async for message in call.messages:
            diary.note("message", message)
            if isinstance(message, BytesMessage):
                await call.send_bytes(bytearray(message.data), message.channel)  # type: ignore[arg-type]
            else:
                await call.send_text(message.text, message.channel)
                await call.send_text(f"default: {message.text}")
                await call.send_text("", "nowhere")
                await call.send_event("seen", {"text": message.text, "words": ("a", 1, None)})

    async def caller(call: AnyCall, diary: Diary) -> None:
        for message in (TextMessage("hello"), TypedMessage("note", {"type": "note"}, '{"type": "note"}')):
            call.caller_writes(message)
            await trio.sleep(0.1)
        for label in ("first", "second"):
            call.caller_opens_channel(label)
        for later in (TextMessage("hello", "second"), BytesMessage(b"\0\xff", "second"), BytesMessage(b"", "first")):
            call.caller_writes(later)
            await trio.sleep(0.1)
        by_channel = sorted(call.sent_messages, key=lambda sent: sent[1] or "")  # of two channels either may be faster
        diary.note("sent", (by_channel, call.sent_events))

    await compare(agent, caller)


def counting(seconds: float) -> bytes:
    """Each frame of 20 ms holds its own number, from 1 on."""
    return b"".join(sound(PACKET, 1 + index).pcm for index in range(round(seconds / PACKET)))


async def test_who_begins_to_listen_late_begins_with_what_is_said_then(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        audio = call.audio
        await trio.sleep(0.5)
        frames = []
        async for frame in audio:
            frames.append(frame)
            if len(frames) == 20:
                break
        diary.note("first", None, frames[0].samples[0] * PACKET)
        diary.note("shapes", {(frame.sample_rate, frame.sample_count) for frame in frames})
        diary.note("values", {b.samples[0] - a.samples[0] for a, b in pairwise(frames)})
        diary.note("timestamps", {b.timestamp - a.timestamp for a, b in pairwise(frames)})

    async def caller(call: AnyCall, diary: Diary) -> None:
        await call.caller_speaks(counting(2))
        diary.note("spoken")

    await compare(agent, caller)


async def test_who_listens_too_slowly_loses_the_oldest(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call, diary: Diary) -> None:
        audio = aiter(call.audio)
        await anext(audio)
        await trio.sleep(1)
        frame = await anext(audio)
        diary.note("heard", None, frame.samples[0] * PACKET)

    async def caller(call: AnyCall, diary: Diary) -> None:
        await call.caller_speaks(counting(2))

    await compare(agent, caller)


async def test_the_agent_ends_the_call_with_a_reason_and_the_caller_with_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang_up(call: Call, diary: Diary) -> None:
        await call.say(sound(1))
        call.hang_up("first")
        call.hang_up("second")
        diary.note("still here")
        await call.say(sound(1))
        diary.note("never here")

    async def wait(call: Call, diary: Diary) -> None:
        try:
            await call.say(sound(10))
        finally:
            diary.note("cancelled")

    async def caller(call: AnyCall, diary: Diary) -> None:
        await trio.sleep(0.5)
        call.caller_hangs_up()
        await until_the_end(call, diary)

    await compare(hang_up, until_the_end)
    await compare(wait, caller)
