"""The gateway's end of a call whose agent is in a worker: what happens goes there, and what is said comes."""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import perf_counter_ns
from typing import Final, Protocol

import trio

from glottis.calls.events import MAX_EVENTS
from glottis.calls.handover import Handover
from glottis.calls.limits import DEFAULT_LIMITS, CallLimits
from glottis.calls.messenger import Messenger
from glottis.calls.voice import Voice, next_heard, next_keys
from glottis.config import Elsewhere
from glottis.contracts.call import Agent, BytesMessage, Dropped, Message
from glottis.contracts.errors import MessageTooLong, PluginError, ProcessLost
from glottis.contracts.events import CallEvent, OtherEvent
from glottis.contracts.info import CallInfo
from glottis.contracts.resampling import Resampling
from glottis.contracts.statistics import AgentStats, Statistics
from glottis.isolation import messages
from glottis.isolation.answers import Answers
from glottis.isolation.backlog import RemoteBacklog
from glottis.isolation.messages import FromGateway, OfCall
from glottis.isolation.pickles import pickled
from glottis.isolation.spoken import Spoken
from glottis.plugins.timing import Timing
from glottis.rtp import KeyChange, KeyDown, Tone

MAX_UNSENT: Final = 256 * 1024
"""Bytes that the worker has not taken, beyond which it is told of nothing that it can do without."""


class Seat(Protocol):
    """A call's place in a worker."""

    @property
    def number(self) -> int:
        """What the call is called there."""

    @property
    def waiting(self) -> int:
        """Bytes that the worker has not taken."""

    def send(self, message: FromGateway) -> None:
        """To the worker."""


class Workers(Protocol):
    """Where there are places."""

    def timing(self, agent: str) -> Timing:
        """Counts an agent's calls, by its name in the campaign, as ``guarded_agent`` does for agents of this process.

        Nobody reads that of a function which is none of the campaign's agents.
        """

    def seat(self, call: "RemoteCall") -> AbstractAsyncContextManager[Seat]:
        """Within this block the call has a place, and is told what comes from there. Raises ``ProcessLost``."""


class RemoteCall:
    """A ``Conversation``. The agent's own ``Call`` is in the worker, and this has only what must be known here."""

    def __init__(
        self,
        workers: Workers,
        info: CallInfo,
        *,
        sample_rate: int,
        voice: Voice,
        messenger: Messenger,
        hang_up: Callable[[str], None],
        restart_ice: Callable[[], None] = lambda: None,
        caught_up: Callable[[], None],
        handover: Handover | None = None,
        resampling: Resampling | None = None,
        sent: Callable[[Message | OtherEvent], None] = lambda message: None,
        limits: CallLimits = DEFAULT_LIMITS,
        statistics: Callable[[], Statistics] = Statistics,
    ) -> None:
        """``resampling`` is of use only to agents in this process, and ``handover`` has nothing to do but to tell."""
        self.messages = RemoteBacklog(caught_up)
        self._workers = workers
        self._info = info
        self._voice = voice
        self._messenger = messenger
        self._hang_up = hang_up
        self._restart_ice = restart_ice
        self._handover = handover or Handover({}, lambda name: None)
        self._limits = limits
        self._sent = sent
        self._statistics = statistics
        self._spoken = Spoken(voice, sample_rate, limits.say_queue)
        self._wants = messages.Wants(0, audio=False, packets=False)
        self._seat: Seat | None = None
        self._early: deque[Message | CallEvent] = deque()
        """What has happened before there was a place; events beyond ``MAX_EVENTS`` are dropped, the oldest first."""
        self._dropped_here = Dropped()
        self._dropped_there = Dropped()
        self._failed: Callable[[BaseException], object] = _nobody
        self._answers: Answers | None = None
        self._stopped = trio.Event()
        self._timing = Timing("nobody")
        """Of the agent whose turn it is."""
        self._turn_began = 0
        self._serving_since: float | None = None

    # What the session calls

    @property
    def dropped(self) -> Dropped:
        """By the agent, which was too slow, and by the pipe."""
        here, there = self._dropped_here, self._dropped_there
        return replace(
            there,
            audio=there.audio + here.audio,
            packets=there.packets + here.packets,
            events=there.events + here.events,
            messages=there.messages + self.messages.dropped,
        )

    def agent_statistics(self) -> AgentStats:
        """See ``Conversation.agent_statistics``. Its worker does not tell how much of the voice waits there."""
        return AgentStats(
            serving_time=None if self._serving_since is None else trio.current_time() - self._serving_since,
            messages_waiting=self.messages.fill.messages,
            speech_queued=self._voice.queued,
        )

    async def converse(
        self, agent: Agent, failed: Callable[[BaseException], object], *beside: Callable[[], Awaitable[object]]
    ) -> None:
        """See ``Conversation``; the agent is the worker's own, of the same name. Raises ``TypeError`` for another."""
        if not isinstance(agent, Elsewhere):
            raise TypeError(f"expected an agent of another process, got {agent!r}")
        self._begin_turn(agent.name)

        def noted(error: BaseException) -> None:
            self._timing.errors += 1
            failed(error)

        self._failed = noted
        async with trio.open_nursery() as nursery:
            for task in beside:
                nursery.start_soon(task)
            try:
                await self._hold_seat(agent.name)
                await self._messenger.flush()
            except ProcessLost as error:
                noted(error)
            finally:
                self._seat, self._answers, self._failed = None, None, _nobody
                self._end_turn()
            nursery.cancel_scope.cancel()

    def _begin_turn(self, agent: str) -> None:
        self._timing, self._turn_began = self._workers.timing(agent), perf_counter_ns()
        self._serving_since = trio.current_time()

    def _end_turn(self) -> None:
        self._timing.note(perf_counter_ns() - self._turn_began)

    async def _hold_seat(self, agent: str) -> None:
        async with self._workers.seat(self) as seat, trio.open_nursery() as nursery:
            self._answers = Answers(self._messenger, seat.send, self._sent, self._failed, nursery, self._statistics)
            self._begin(seat, agent)
            await self._stopped.wait()
            nursery.cancel_scope.cancel()

    def _begin(self, seat: Seat, agent: str) -> None:
        self._seat = seat
        limits = self._limits
        info = pickled(replace(self._info, campaign_settings=None))
        seat.send(messages.Begin(seat.number, agent, info, limits.say_queue, limits.audio_queue))
        self._tell_news()
        while self._early:
            self._pass_on(self._early.popleft())

    def hear(self, now: float) -> None:
        """See ``Conversation``."""
        wants, seat = self._wants, self._seat
        frame, packets = next_heard(self._voice, now, frames=wants.audio, packets=wants.packets)
        changes = next_keys(self._voice, now)
        if seat is None:
            return
        if changes:
            seat.send(messages.Keys(seat.number, tuple(_key(change) for change in changes)))
        frame = frame if wants.audio else None
        packets = packets if wants.packets else ()
        if frame is None and not packets:
            self._tell_news()
            return
        if seat.waiting > MAX_UNSENT:
            self._drop(audio=int(frame is not None), packets=len(packets))
            return
        pcm, timestamp = (frame.pcm, frame.timestamp) if frame is not None else (None, 0)
        seat.send(messages.Heard(seat.number, pcm, timestamp, tuple(packets), self._spoken.news(seat.number)))

    def spoke(self) -> None:
        """See ``Conversation``. It is told with the next media tick, which spares the worker half of its turns."""

    def push_message(self, message: Message) -> None:
        """See ``Conversation``."""
        if self.messages.leaves(message):
            self._pass_on(message)

    def push_event(self, event: CallEvent) -> None:
        """See ``Conversation``."""
        self._pass_on(event)

    def _pass_on(self, item: Message | CallEvent) -> None:
        seat = self._seat
        if seat is None:
            self._keep(item)
        elif isinstance(item, BytesMessage):
            seat.send(messages.Bytes(seat.number, item.data, item.channel))
        elif isinstance(item, Message):
            seat.send(messages.Text(seat.number, item.text, item.channel))
        elif seat.waiting > MAX_UNSENT:
            self._drop(events=1)
        else:
            seat.send(messages.Happened(seat.number, pickled(item)))

    def _keep(self, item: Message | CallEvent) -> None:
        self._early.append(item)
        events = [one for one in self._early if not isinstance(one, Message)]
        if not isinstance(item, Message) and len(events) > MAX_EVENTS:
            self._early.remove(events[0])
            self._drop(events=1)

    def _drop(self, audio: int = 0, packets: int = 0, events: int = 0) -> None:
        before = self._dropped_here
        self._dropped_here = Dropped(
            audio=before.audio + audio, packets=before.packets + packets, events=before.events + events
        )

    def _tell_news(self) -> None:
        seat = self._seat
        if seat is not None and (news := self._spoken.news(seat.number)) is not None:
            seat.send(news)

    # What its place tells

    def take(self, message: OfCall) -> None:
        """From the worker. Raises what the voice raises."""
        match message:
            case messages.Say(_, pcm):
                self._spoken.say(pcm)
            case messages.SayPacket(_, packet):
                self._spoken.say_packet(packet)
            case messages.SayTone(_, event, duration, gap):
                self._spoken.say_tone(Tone(event, duration, gap))
            case messages.Flush(_, epoch):
                self._spoken.flush(epoch)
            case messages.Wants():
                self._wants = message
            case messages.Waiting():
                self.messages.update(message)
            case messages.Missed(_, audio, packets, turns, dtmf, texts, events):
                self._dropped_there = Dropped(audio, packets, turns, dtmf, texts, events)
            case messages.Ask() if self._answers is not None:
                self._answers.ask(message)
            case messages.Unask(_, number) if self._answers is not None:
                self._answers.unask(number)
            case messages.HangUp(_, reason):
                self._hang_up(reason)
            case messages.RestartIce():
                self._restart_ice()
            case messages.HandedOver(_, name):
                self._end_turn()
                self._begin_turn(name)
                self._handover.happened(name)
            case messages.Failed(_, sentence, is_too_long):
                self._failed(MessageTooLong(sentence) if is_too_long else PluginError(sentence))
            case messages.Stopped():
                self._stopped.set()
        self._tell_news()

    def lost(self, error: BaseException) -> None:
        """Its place is gone, or what it has told makes no sense."""
        self._failed(error)
        self._stopped.set()


def _key(change: KeyChange) -> str | float:
    return change.digit if isinstance(change, KeyDown) else change.duration


def _nobody(error: BaseException) -> None:
    """The call has ended."""
