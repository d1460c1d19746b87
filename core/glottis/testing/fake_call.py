"""A call without a network, for the tests of agents: the test is the caller, on trio's clock, virtual or not."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from glottis.contracts.audio import BYTES_PER_SAMPLE, AudioFrame, EncodedPacket
from glottis.contracts.call import Agent, Call, CallEvent, Heard, Message
from glottis.contracts.info import CallInfo

FRAME_SECONDS = 0.02
SAY_QUEUE_SECONDS = 0.2
MAX_WAITING = 4096
"""Items that the test may feed ahead of the agent; more raise ``trio.WouldBlock`` in the test."""


class FakeCall(Call):
    """What the agent says is sent at the pace of a real call, and kept for the test to look at.

    Made by ``fake_call``. The methods ``caller_…`` are the test's side of the conversation.
    """

    def __init__(self, nursery: trio.Nursery, *, sample_rate: int = 16000, info: CallInfo | None = None) -> None:
        self.nursery = nursery
        self.sample_rate = sample_rate
        self.info = info or CallInfo(session_id="session", campaign_id="campaign")
        self.ended = trio.Event()
        """Set when the agent has returned, raised or hung up."""
        self.hang_up_reason: str | None = None
        self.sent_messages: list[tuple[str | bytes, str | None]] = []
        """What was given to ``send_text`` and ``send_bytes``, each with its channel."""
        self.sent_events: list[tuple[str, Mapping[str, Any]]] = []
        self.sent_packets: list[EncodedPacket] = []
        """Packets given to ``say``: kept at once, without the pace of a call."""
        self._to_audio, self._audio = trio.open_memory_channel[AudioFrame](MAX_WAITING)
        self._to_packets, self._packets = trio.open_memory_channel[EncodedPacket](MAX_WAITING)
        self._to_messages, self._messages = trio.open_memory_channel[Message](MAX_WAITING)
        self._to_events, self._events = trio.open_memory_channel[CallEvent](MAX_WAITING)
        self._playout = _Playout(sample_rate)
        self._spoken_samples = 0
        self._flushed = trio.Event()
        self._unwritten = 0.0
        """Seconds of the frame that waits in ``say``."""

    # The caller's side

    async def caller_speaks(self, pcm: bytes) -> None:
        """Give the agent samples at ``sample_rate``, in frames of 20 ms, each at its time."""
        size = round(self.sample_rate * FRAME_SECONDS) * BYTES_PER_SAMPLE
        for position in range(0, len(pcm), size):
            frame = AudioFrame(pcm[position : position + size], self.sample_rate, self._spoken_samples)
            self._spoken_samples += frame.sample_count
            self._to_audio.send_nowait(frame)
            await trio.sleep(frame.duration)

    def caller_sends_packet(self, packet: EncodedPacket) -> None:
        """Give the agent an encoded packet."""
        self._to_packets.send_nowait(packet)

    def caller_writes(self, message: Message) -> None:
        """Give the agent a message."""
        self._to_messages.send_nowait(message)

    def event_happens(self, name: str, data: Mapping[str, Any]) -> None:
        """Tell the agent of a change of state."""
        self._to_events.send_nowait(CallEvent(name, data))

    def caller_hangs_up(self) -> None:
        """Cancel the agent, as the end of a real call does."""
        self.nursery.cancel_scope.cancel()

    @property
    def heard_pcm(self) -> bytes:
        """The samples that have really been sent to the caller by now; pauses are left out."""
        return self._playout.sent(trio.current_time())

    @property
    def is_speaking(self) -> bool:
        """Whether speech is waiting to be sent."""
        return self._playout.queued(trio.current_time()) > 0

    # The agent's side

    @property
    def audio(self) -> AsyncIterator[AudioFrame]:
        """See ``Call.audio``."""
        return self._audio

    @property
    def packets(self) -> AsyncIterator[EncodedPacket]:
        """See ``Call.packets``."""
        return self._packets

    @property
    def messages(self) -> AsyncIterator[Message]:
        """See ``Call.messages``."""
        return self._messages

    @property
    def events(self) -> AsyncIterator[CallEvent]:
        """See ``Call.events``."""
        return self._events

    async def say(self, audio: AudioFrame | EncodedPacket) -> None:
        """See ``Call.say``."""
        if isinstance(audio, EncodedPacket):
            self.sent_packets.append(audio)
            await trio.lowlevel.checkpoint()
            return
        if audio.sample_rate != self.sample_rate:
            raise ValueError(f"this call's sample rate is {self.sample_rate} Hz, the frame's {audio.sample_rate} Hz")
        flushed = self._flushed
        self._unwritten = audio.duration
        try:
            await trio.lowlevel.checkpoint()
            while not flushed.is_set() and self._playout.queued(trio.current_time()) >= SAY_QUEUE_SECONDS:
                with trio.move_on_after(FRAME_SECONDS):
                    await flushed.wait()
        finally:
            self._unwritten = 0.0
        if not flushed.is_set():
            self._playout.write(audio.pcm, trio.current_time())

    def flush(self) -> Heard:
        """See ``Call.flush``."""
        self._flushed.set()
        self._flushed = trio.Event()
        heard = self._playout.flush(trio.current_time())
        return Heard(heard.sent, heard.dropped + self._unwritten)

    async def drain(self) -> None:
        """See ``Call.drain``."""
        await trio.lowlevel.checkpoint()
        while (queued := self._playout.queued(trio.current_time())) > 0:  # noqa: ASYNC110 - only time empties it
            await trio.sleep(max(queued, FRAME_SECONDS))

    async def send_text(self, text: str, channel: str | None = None) -> None:
        """See ``Call.send_text``."""
        self.sent_messages.append((text, channel))
        await trio.lowlevel.checkpoint()

    async def send_bytes(self, data: bytes, channel: str | None = None) -> None:
        """See ``Call.send_bytes``."""
        self.sent_messages.append((data, channel))
        await trio.lowlevel.checkpoint()

    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """See ``Call.send_event``."""
        json.dumps(data, allow_nan=False)
        self.sent_events.append((name, data))
        await trio.lowlevel.checkpoint()

    def hang_up(self, reason: str = "agent hung up") -> None:
        """See ``Call.hang_up``."""
        self.hang_up_reason = reason
        self.nursery.cancel_scope.cancel()


@asynccontextmanager
async def fake_call(agent: Agent, *, sample_rate: int = 16000, info: CallInfo | None = None) -> AsyncIterator[FakeCall]:
    """Run ``agent`` on a call as the gateway would, and hang up at the end of the block.

    What the agent raises comes out of the block, in an exception group.
    """
    async with trio.open_nursery() as outer:
        call: FakeCall = await outer.start(_converse, agent, sample_rate, info)
        yield call
        call.caller_hangs_up()


async def _converse(
    agent: Agent, sample_rate: int, info: CallInfo | None, *, task_status: trio.TaskStatus[FakeCall]
) -> None:
    async with trio.open_nursery() as nursery:
        call = FakeCall(nursery, sample_rate=sample_rate, info=info)
        task_status.started(call)
        try:
            await agent(call)
        finally:
            call.ended.set()
        nursery.cancel_scope.cancel()


class _Playout:
    """Speech that leaves a queue at the pace of time."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._queue = bytearray()
        self._sent = bytearray()
        self._speech_began_at = 0
        """Position in ``_sent`` where the current speech began."""
        self._origin = 0.0
        """When the first byte of the current speech was sent."""

    def sent(self, now: float) -> bytes:
        self._advance(now)
        return bytes(self._sent)

    def queued(self, now: float) -> float:
        """Seconds that wait."""
        self._advance(now)
        return self._seconds(len(self._queue))

    def write(self, pcm: bytes, now: float) -> None:
        self._advance(now)
        if not self._queue:
            self._origin, self._speech_began_at = now, len(self._sent)
        self._queue += pcm

    def flush(self, now: float) -> Heard:
        self._advance(now)
        heard = Heard(self._seconds(len(self._sent) - self._speech_began_at), self._seconds(len(self._queue)))
        self._queue.clear()
        return heard

    def _advance(self, now: float) -> None:
        """Send what is due since the speech began, in whole samples."""
        due = round((now - self._origin) * self._sample_rate) * BYTES_PER_SAMPLE
        count = min(max(0, due - (len(self._sent) - self._speech_began_at)), len(self._queue))
        self._sent += self._queue[:count]
        del self._queue[:count]

    def _seconds(self, byte_count: int) -> float:
        return byte_count / BYTES_PER_SAMPLE / self._sample_rate
