"""The workers of one campaign: as many as are wanted, started ahead, and each that ends has a successor."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from glottis.calls.streams import Wakeup
from glottis.config import Workers
from glottis.contracts.errors import ProcessLost
from glottis.isolation.counts import PoolCounts
from glottis.isolation.messages import FromGateway
from glottis.isolation.orders import Order
from glottis.isolation.places import Places
from glottis.isolation.process import LOOK, WorkerProcess, open_worker
from glottis.isolation.remote_call import RemoteCall
from glottis.plugins.timing import Timing

PLACE_PATIENCE: Final = 10.0
"""Seconds for a worker to have a place: long enough for one to start. Nothing is heard meanwhile."""
SHORT_LIFE: Final = 10.0
"""Seconds; whoever has lived no longer has a successor after a pause, each time twice as long."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0

logger = logging.getLogger(__name__)


class Seat(msgspec.Struct, frozen=True):
    """See ``remote_call.Seat``."""

    places: Places
    number: int

    @property
    def waiting(self) -> int:
        """Bytes that the worker has not taken."""
        return self.places.waiting

    def send(self, message: FromGateway) -> None:
        """To the worker."""
        self.places.send(message)


class Pool:
    """``Workers`` of a campaign. ``whose`` names plugin and agent; ``version`` changes when one was loaded anew.

    ``timings`` are those of the agents, by their names in the campaign.
    """

    def __init__(
        self,
        whose: str,
        order: Order,
        settings: Workers,
        timings: Mapping[str, Timing],
        version: Callable[[], int] = lambda: 0,
    ) -> None:
        self.counts = PoolCounts()
        self._timings = timings
        self._whose = whose
        self._order = order
        self._settings = settings
        self._version = version
        self._workers: list[WorkerProcess] = []
        """All that run, those that retire included."""
        self._changed = Wakeup()
        self._has_tried = False
        """Whether a worker has ended, or could not be started: then nobody knows when one will be ready."""

    @property
    def running(self) -> int:
        """How many processes there are."""
        return len(self._workers)

    @property
    def ready(self) -> int:
        """How many can have calls, or have as many as they take."""
        return len(self._staying)

    @property
    def is_full(self) -> bool:
        """Whether every worker that calls could have places in is full."""
        return bool(self._staying) and not any(worker.has_room for worker in self._staying)

    @property
    def has_begun(self) -> bool:
        """Whether one can have calls, or has failed to."""
        return self._has_tried or self.ready > 0

    async def begun(self) -> None:
        """Wait until it has."""
        while not self.has_begun:
            await self._changed.wait()

    async def some_ready(self) -> bool:
        """Wait until one can have calls, or has as many as it takes; says whether it has come to that in time."""
        with trio.move_on_after(PLACE_PATIENCE):
            while not self.ready:
                await self._changed.wait()
            return True
        self.counts.calls_refused += 1
        return False

    @property
    def _staying(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.places.is_ready and not worker.left.is_set()]

    async def run(self) -> None:
        """Until cancelled, which ends all workers."""
        async with trio.open_nursery() as nursery:
            for _ in range(self._settings.processes):
                nursery.start_soon(self._keep_one, nursery)
            await self._follow_version()

    def timing(self, agent: str) -> Timing:
        """See ``remote_call.Workers``."""
        return self._timings.get(agent) or Timing(agent)

    @asynccontextmanager
    async def seat(self, call: RemoteCall) -> AsyncIterator[Seat]:
        """See ``remote_call.Workers``."""
        places = await self._find_room()
        number = places.take(call)
        try:
            yield Seat(places, number)
        finally:
            places.leave(number)

    async def _find_room(self) -> Places:
        """In the worker that has fewest calls, once there is one with room."""
        with trio.move_on_after(PLACE_PATIENCE):
            while True:
                if found := [worker.places for worker in self._workers if worker.has_room]:
                    return min(found, key=lambda places: places.taken)
                await self._changed.wait()
        self.counts.calls_refused += 1
        raise ProcessLost(f"{self._whose}: none of its processes has room for a call", "the agent has no process free")

    async def _keep_one(self, nursery: trio.Nursery) -> None:
        """One worker after the other. One that retires still has its calls while there is the next."""
        pause = FIRST_PAUSE
        while True:
            started_at = trio.current_time()
            has_failed = True
            try:
                worker: WorkerProcess = await nursery.start(self._run_one)
                await worker.left.wait()
                has_failed = bool(worker.reason)
            except OSError as error:
                logger.error("%s: no process could be started for it: %s", self._whose, error)
            self._note_try()
            if has_failed:
                await trio.sleep(pause)
            is_short = has_failed and trio.current_time() - started_at <= SHORT_LIFE
            pause = min(2 * pause, LONGEST_PAUSE) if is_short else FIRST_PAUSE

    async def _run_one(self, task_status: trio.TaskStatus[WorkerProcess]) -> None:
        async with open_worker(self._whose, self._order, self._settings, self._changed.wake) as worker:
            self._workers.append(worker)
            self.counts.started += 1
            task_status.started(worker)
            try:
                await worker.run()
            finally:
                self._workers.remove(worker)
                self._note_end(worker)

    def _note_try(self) -> None:
        self._has_tried = True
        self._changed.wake()

    def _note_end(self, worker: WorkerProcess) -> None:
        self.counts.calls_lost += worker.calls_lost
        if worker.reason:
            self.counts.lost += 1
            logger.error("%s %s; calls that have ended with it: %d", worker, worker.reason, worker.calls_lost)

    async def _follow_version(self) -> None:
        """When the agent was loaded anew, calls to come are to have the new one."""
        version = self._version()
        while True:
            await trio.sleep(LOOK)
            if (now := self._version()) != version:
                version = now
                for worker in list(self._workers):
                    worker.retire()
