"""A call whose agent is in a worker, but for the process: both ends of the pipe are in the test's own loop.

async with remote_call(agent) as call:
    await call.caller_speaks(SPEECH)
    …
"""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import trio
from glottis.calls.call import GatewayCall
from glottis.calls.conversation import ConversationFactory
from glottis.calls.handover import Colleague, Handover
from glottis.calls.limits import DEFAULT_LIMITS, CallLimits
from glottis.calls.streams import Wakeup
from glottis.config import Elsewhere
from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_MS
from glottis.contracts.call import Agent, Message
from glottis.contracts.info import CallInfo
from glottis.contracts.statistics import Counters, Statistics
from glottis.isolation import messages
from glottis.isolation.messages import LONGEST_FROM_GATEWAY, LONGEST_FROM_WORKER
from glottis.isolation.orders import Made
from glottis.isolation.pipe import Pipe
from glottis.isolation.places import Places
from glottis.isolation.pool import Seat
from glottis.isolation.process import LOOK
from glottis.isolation.remote_call import RemoteCall
from glottis.isolation.worker import Worker
from glottis.plugins.timing import Timing
from glottis.testing.fake_client import FakeClient
from glottis.testing.paced_voice import PacedVoice

RATE = 16000
COUNTED = Statistics(counters=Counters(packets_replayed=7))


class MemoryWorkers:
    """``Workers``: one, which is no process."""

    def __init__(self, agents: Mapping[str, Agent], calls: int = 8, frame_ms: int = FRAME_MS) -> None:
        ours, theirs = socket.socketpair()
        self.timings = {name: Timing(name) for name in agents}
        self.pipe = Pipe(theirs, LONGEST_FROM_GATEWAY)
        self.places = Places(Pipe(ours, LONGEST_FROM_WORKER), calls, lambda: None)
        made = {name: Colleague(agent, {"greeting": f"hello from {name}"}) for name, agent in agents.items()}
        self._worker = Worker(self.pipe, Made(made, RATE, frame_ms, ()))

    def timing(self, agent: str) -> Timing:
        """See ``remote_call.Workers``."""
        return self.timings.get(agent) or Timing(agent)

    async def run(self) -> None:
        """Both ends, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.places.write)
            nursery.start_soon(self.places.read_untrusted)
            nursery.start_soon(self._worker.serve)
            while True:
                await trio.sleep(LOOK)
                self.places.send(messages.Ping())

    @asynccontextmanager
    async def seat(self, call: RemoteCall) -> AsyncIterator[Seat]:
        """See ``remote_call.Workers``."""
        number = self.places.take(call)
        try:
            yield Seat(self.places, number)
        finally:
            self.places.leave(number)


class Caller:
    """The test's side of a call, and what has come of that. Made by ``remote_call``."""

    def __init__(
        self,
        make: ConversationFactory,
        timings: Mapping[str, Timing],
        info: CallInfo | None = None,
        limits: CallLimits = DEFAULT_LIMITS,
        frame_ms: int = FRAME_MS,
    ) -> None:
        self.timings = timings
        self.serving: list[str] = []
        """Whom the call was handed to."""
        self.voice = PacedVoice(RATE, "opus", 48000, frame_ms)
        self.client = FakeClient(lambda message: self.call.push_message(message))
        self.times_caught_up = 0
        self.errors: list[BaseException] = []
        self.hang_up_reason: str | None = None
        self.restarts = 0
        """How often another way of the media was wanted."""
        self.over = trio.Event()
        """Set when the agent has returned and all it said is sent, or has raised or hung up."""
        self.scope = trio.CancelScope()
        self.call = make(
            info or CallInfo(session_id="session", campaign_id="campaign"),
            sample_rate=RATE,
            voice=self.voice,
            messenger=self.client.messenger,
            hang_up=self._hang_up,
            restart_ice=self._restart_ice,
            caught_up=self._catch_up,
            handover=Handover({}, self.serving.append),
            resampling=None,
            sent=lambda message: None,
            limits=limits,
            statistics=lambda: COUNTED,
        )
        self._ticked = Wakeup()

    async def speaks(self, pcm: bytes) -> None:
        """The caller says samples, in real time."""
        self.voice.speak(pcm)
        await self.waits(len(pcm) / BYTES_PER_SAMPLE / RATE)

    async def waits(self, seconds: float) -> None:
        """The caller does nothing."""
        for _ in range(round(seconds / self.voice.frame_seconds)):
            await self._ticked.wait()

    def writes(self, message: Message) -> None:
        """The caller sends a message."""
        self.client.write(message)

    async def run(self, agent: Agent) -> None:
        """As a session does."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tick)
            with self.scope:
                await self.call.converse(agent, self._fail)
            self.over.set()
            nursery.cancel_scope.cancel()

    async def _tick(self) -> None:
        while True:
            await trio.sleep(self.voice.frame_seconds)
            now = trio.current_time()
            self.voice.hear(now)
            self.call.hear(now)
            if self.voice.send(now):
                self.call.spoke()
            self._ticked.wake()

    def _restart_ice(self) -> None:
        self.restarts += 1

    def _hang_up(self, reason: str) -> None:
        self.hang_up_reason = self.hang_up_reason or reason
        self.scope.cancel()

    def _fail(self, error: BaseException) -> None:
        self.errors.append(error)
        self.scope.cancel()

    def _catch_up(self) -> None:
        self.times_caught_up += 1


@asynccontextmanager
async def remote_call(
    agent: Agent,
    *others: Agent,
    info: CallInfo | None = None,
    limits: CallLimits = DEFAULT_LIMITS,
    frame_ms: int = FRAME_MS,
) -> AsyncIterator[Caller]:
    """The caller of an agent in a worker, who has ``others`` beside it; leaving the block hangs up."""
    async with trio.open_nursery() as nursery:
        workers = MemoryWorkers({one.__name__: one for one in (agent, *others)}, frame_ms=frame_ms)
        nursery.start_soon(workers.run)
        caller = Caller(partial(RemoteCall, workers), workers.timings, info, limits, frame_ms)
        nursery.start_soon(caller.run, Elsewhere(agent.__name__))
        yield caller
        nursery.cancel_scope.cancel()
        workers.places.close()
        workers.pipe.close()


@asynccontextmanager
async def local_call(agent: Agent) -> AsyncIterator[Caller]:
    """The same with an agent in the gateway."""
    async with trio.open_nursery() as nursery:
        caller = Caller(GatewayCall, {})
        nursery.start_soon(caller.run, agent)
        yield caller
        nursery.cancel_scope.cancel()
