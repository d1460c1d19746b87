"""A call without a network, for the tests of agents: the test is the caller, on trio's clock, virtual or not."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio

from glottis.calls.call import GatewayCall
from glottis.calls.dtmf import tones_of
from glottis.calls.handover import Colleague, Handover
from glottis.calls.streams import Wakeup
from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_MS, FRAMES_MS, EncodedPacket
from glottis.contracts.call import Agent, Message
from glottis.contracts.checks import check_callable, check_integer, pcm_of
from glottis.contracts.errors import PluginError
from glottis.contracts.events import CallEvent, Interrupted, Resumed
from glottis.contracts.info import CallInfo
from glottis.rtp import KeyDown, KeyUp
from glottis.testing.fake_client import FakeClient
from glottis.testing.paced_voice import PacedVoice

FIRST_TICK: Final = 0.007
"""Seconds from the start of the call: so no media tick falls together with a round number of a test."""


class FakeCall(GatewayCall):
    """The gateway's own call, whose other end is in the hands of the test. Made by ``fake_call``.

    The methods ``caller_…`` are the test's side of the conversation.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        sample_rate: int = 16000,
        frame_ms: int = FRAME_MS,
        info: CallInfo | None = None,
        encoding_name: str = "opus",
        clock_rate: int = 48000,
        agents: Mapping[str, Agent] | None = None,
    ) -> None:
        self._line = PacedVoice(sample_rate, encoding_name, clock_rate, frame_ms)
        self._client = FakeClient(self.push_message)
        super().__init__(
            info or CallInfo(session_id="session", campaign_id="campaign"),
            sample_rate=sample_rate,
            voice=self._line,
            messenger=self._client.messenger,
            hang_up=self._end,
            handover=Handover({name: Colleague(agent) for name, agent in (agents or {}).items()}, self._hand_over),
        )
        self.nursery = nursery
        self.ended = trio.Event()
        """Set when the agent has returned and all it said is sent, or has raised or hung up."""
        self.hang_up_reason: str | None = None
        self.transfers: list[str] = []
        """The names of those that the call was handed to."""
        self._is_over = False
        self._ticked = Wakeup()
        self._is_broken = False

    # The caller's side

    async def caller_speaks(self, pcm: bytes) -> None:
        """Say samples at ``sample_rate``: the agent hears them in frames of ``frame_ms``, each at its time."""
        pcm = pcm_of("pcm", pcm)
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError(f"{len(pcm)} bytes do not hold whole 16-bit samples")
        end = trio.current_time() + len(pcm) / BYTES_PER_SAMPLE / self.sample_rate
        self._line.speak(pcm)
        while self._line.is_spoken_to and not self.ended.is_set():
            await self._ticked.wait()
        await trio.sleep_until(end)

    def caller_sends_packet(self, packet: EncodedPacket) -> None:
        """Send an encoded packet: the agent gets it after those before it, at its time."""
        self._line.relay(packet)

    async def caller_presses(self, digits: str, *, duration: float = 0.1, gap: float = 0.06) -> None:
        """Press one key after the other, each ``duration`` seconds long and with ``gap`` seconds after it.

        Raises ``ValueError`` for what ``Call.send_dtmf`` refuses.
        """
        for digit, tone in zip(digits.upper(), tones_of(digits, duration, gap), strict=True):
            self._line.press(KeyDown(digit))
            await trio.sleep(tone.duration)
            self._line.press(KeyUp(tone.duration))
            await trio.sleep(tone.gap)

    def caller_opens_channel(self, label: str) -> None:
        """Open a data channel. The first one is where the agent writes by default."""
        self._client.open_channel(label)

    def caller_writes(self, message: Message) -> None:
        """Send a message by its channel, which is opened if there is none of this label.

        Raises ``ValueError`` for one that an agent would get as another, such as a ``TextMessage`` with typed JSON.
        """
        self._client.write(message)

    def event_happens(self, event: CallEvent) -> None:
        """Tell the agent of a change of state."""
        self.push_event(event)

    def line_breaks(self) -> None:
        """The caller seems gone, and may come back: what is said waits as if the queue were full."""
        self._is_broken = True
        self.push_event(Interrupted())

    def line_mends(self) -> None:
        """The caller is back."""
        self._is_broken = False
        self.push_event(Resumed())

    def caller_hangs_up(self) -> None:
        """Cancel the agent, as the end of a real call does."""
        self._is_over = True
        self.nursery.cancel_scope.cancel()

    # What the agent did

    @property
    def heard_pcm(self) -> bytes:
        """The samples that have really been sent to the caller by now; pauses are left out."""
        return self._line.sent_pcm

    @property
    def sent_packets(self) -> list[EncodedPacket]:
        """The packets given to ``say`` that have really been sent to the caller by now."""
        return self._line.sent_packets

    @property
    def sent_digits(self) -> str:
        """The keys given to ``send_dtmf`` that have really gone down for the caller by now."""
        return self._line.sent_digits

    @property
    def sent_messages(self) -> list[tuple[str | bytes, str | None]]:
        """Texts and bytes, each with the label of the channel that it went by; None is the WebSocket."""
        return self._client.messages

    @property
    def sent_events(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Names and data, as the client reads them from JSON."""
        return self._client.events

    async def run_media(self) -> None:
        """Give the media ticks that the gateway's wheel gives a real call."""
        tick = trio.current_time() + FIRST_TICK
        try:
            while True:
                await trio.sleep_until(tick)
                self._tick(tick)
                tick += self._line.frame_seconds
        finally:
            self._ticked.wake()

    def _end(self, reason: str) -> None:
        if self.hang_up_reason is None:
            self.hang_up_reason = reason
            self.caller_hangs_up()

    def _hand_over(self, name: str) -> None:
        self.transfers.append(name)

    def next_agent(self) -> Agent | None:
        """Nobody, once the caller has hung up."""
        return None if self._is_over else super().next_agent()

    def _tick(self, now: float) -> None:
        self._line.hear(now)
        self.hear(now)
        if not self._is_broken and self._line.send(now):
            self.spoke()
        self._ticked.wake()


@asynccontextmanager
async def fake_call(
    agent: Agent,
    *,
    sample_rate: int = 16000,
    frame_ms: int = FRAME_MS,
    info: CallInfo | None = None,
    encoding_name: str = "opus",
    clock_rate: int = 48000,
    agents: Mapping[str, Agent] | None = None,
) -> AsyncIterator[FakeCall]:
    """Run ``agent`` on a call as the gateway would, and hang up at the end of the block.

    ``frame_ms`` is how long the frames are that it hears, 20 or 10.
    ``encoding_name`` and ``clock_rate`` are the negotiated codec's, for agents that say packets. ``agents`` are those
    that the call can be handed to, by their names. What an agent raises comes out of the block, in an exception group.
    """
    check_callable("agent", agent)
    check_integer("sample_rate", sample_rate, 1)
    if frame_ms not in FRAMES_MS:
        raise ValueError(f"frame_ms: expected one of {', '.join(map(str, FRAMES_MS))}, got {frame_ms!r}")
    make = partial(
        FakeCall,
        sample_rate=sample_rate,
        frame_ms=frame_ms,
        info=info,
        encoding_name=encoding_name,
        clock_rate=clock_rate,
        agents=agents,
    )
    async with trio.open_nursery() as outer:
        call: FakeCall = await outer.start(_converse, agent, make)
        yield call
        call.caller_hangs_up()


async def _converse(
    agent: Agent, make: Callable[[trio.Nursery], FakeCall], *, task_status: trio.TaskStatus[FakeCall]
) -> None:
    async with trio.open_nursery() as media:
        call = make(media)
        media.start_soon(call.run_media)
        task_status.started(call)
        serving: Agent | None = agent
        try:
            while serving is not None:
                async with trio.open_nursery() as nursery:
                    call.nursery = nursery
                    conversation: object = serving(call)
                    if not inspect.isawaitable(conversation):
                        kind = type(conversation).__name__
                        raise PluginError(f"the agent returned {kind}; it must be an async function of the call")
                    await conversation
                    await call.drain()
                    nursery.cancel_scope.cancel()
                serving = call.next_agent()
        finally:
            call.ended.set()
        media.cancel_scope.cancel()
