"""Whatever an agent is told in the gateway, it is told in a worker, too: one list, which has everything there is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import get_args

import trio
import trio.testing
from glottis import AudioFrame, Call
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.call import Agent, BytesMessage, Message, TextMessage, TypedMessage
from glottis.contracts.errors import LocalError
from glottis.contracts.events import (
    CallEvent,
    ConnectionChanged,
    Interrupted,
    MediaNegotiated,
    OtherEvent,
    Resumed,
    StateChanged,
    StatisticsReported,
)
from glottis.contracts.json_object import JsonObject
from glottis.contracts.statistics import Counters, Statistics, TransportStats
from glottis.rtp import KeyChange, KeyDown, KeyUp
from support.remote_call import COUNTED, RATE, Caller, local_call, remote_call

EVENTS: list[CallEvent] = [
    StateChanged(state="ending", reason="the caller hung up"),
    ConnectionChanged(state="disconnected"),
    MediaNegotiated(codec="opus", frame_duration_ms=20.0, sample_rate=RATE),
    StatisticsReported(
        statistics=Statistics(
            transport=TransportStats(ice_state="connected", dtls_state="connected"), counters=Counters(dtmf_dropped=3)
        )
    ),
    Interrupted(),
    Resumed(),
    OtherEvent("mood", {"good": [1, 2.5, None]}),
    OtherEvent("big", JsonObject(b'{"number":1000000000000000000000000}')),
]
MESSAGES: list[Message] = [
    TextMessage("hello"),
    TextMessage("hello", "chat"),
    TypedMessage("order", {"type": "order", "size": 3}, '{"type":"order","size":3}', "chat"),
    BytesMessage(b"\0\1", "files"),
]
SAY = TextMessage("say something")
KEYS: list[KeyChange] = [KeyDown("5"), KeyUp(0.1)]
FRAME = b"\1\2" * (RATE // 50)
SECOND = FRAME * 50
PACKET = EncodedPacket(b"speech", "opus", 48000, 960, 960)


class Listener:
    """An agent that notes all that it is told, and what becomes of what it says."""

    def __init__(self) -> None:
        self.notes: list[object] = []

    async def converse(self, call: Call) -> None:
        for stream in (call.events, call.audio, call.packets):
            call.nursery.start_soon(self._follow, stream)
        call.nursery.start_soon(self._follow_keys, call)
        async for message in call.messages:
            self.notes.append(message)
            if message == SAY:
                await self._speak(call)

    async def _follow(self, stream: AsyncIterator[object]) -> None:
        async for item in stream:
            self.notes.append(item)

    async def _follow_keys(self, call: Call) -> None:
        async for key in call.dtmf:
            self.notes.append((key.digit, await key.released()))

    async def _speak(self, call: Call) -> None:
        """Half of a second that was begun, as far as it was heard, and then a key."""
        utterance = call.start_saying(SECOND)
        await trio.sleep(0.5)
        heard = utterance.cancel()
        self.notes.append((round(heard.sent, 1), round(heard.dropped, 1)))
        self.notes.append(await call.stats())
        try:
            await call.send_dtmf("1")
        except LocalError as error:
            self.notes.append(str(error))


async def told(make: Callable[[Agent], AbstractAsyncContextManager[Caller]]) -> list[object]:
    """What an agent notes while its caller does everything that there is to do."""
    listener = Listener()
    async with make(listener.converse) as caller:
        await caller.waits(0.1)
        for event in EVENTS:
            caller.call.push_event(event)
        await caller.waits(0.1)
        for message in MESSAGES:
            caller.writes(message)
        await caller.waits(0.1)
        for change in KEYS:
            caller.voice.press(change)
            await caller.waits(0.04)
        await caller.waits(0.1)
        await caller.speaks(FRAME)
        await caller.waits(0.1)
        caller.voice.relay(PACKET)
        await caller.waits(0.1)
        caller.voice.takes_tones = False
        caller.voice.unheard = 0.3
        caller.writes(SAY)
        await caller.waits(0.7)
    return listener.notes


def test_the_list_has_all_that_agents_can_be_told() -> None:
    assert {type(event) for event in EVENTS} == {*get_args(CallEvent)}
    assert {type(message) for message in MESSAGES} == {*get_args(Message)}
    assert {type(change) for change in KEYS} == {*get_args(KeyChange)}


async def test_an_agent_in_a_worker_is_told_the_same(autojump_clock: trio.testing.MockClock) -> None:
    here = await told(local_call)
    assert here[: len(EVENTS) + len(MESSAGES)] == [*EVENTS, *MESSAGES]
    assert here[len(EVENTS) + len(MESSAGES) :] == [
        ("5", 0.1),
        AudioFrame(FRAME, RATE),
        PACKET,
        SAY,
        (0.2, 0.8),  # of the half second that was sent, 0.3 were not played
        COUNTED,
        "the caller takes no DTMF: its description has no telephone-event",
    ]
    assert await told(remote_call) == here
