"""The workers that were started together, by one configuration; each that dies has a successor."""

import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from glottis.calls.streams import Wakeup
from glottis.server.fleet.messages import Wants, Welcome
from glottis.server.fleet.process import WorkerProcess
from glottis.server.fleet.sockets import MediaSockets

SECRET: Final = secrets.token_bytes(32)
"""Signs the tokens of all workers of this parent: those that sessions of old workers are resumed with, too."""
FIRST_PAUSE: Final = 0.1
"""Seconds before there is a second try; each time twice as long, until one was good."""
LONGEST_PAUSE: Final = 10.0
"""Where workers die while they load."""
LONGEST_PAUSE_OF_READY: Final = 0.5
"""Where they have taken calls: callers are waiting."""
LONG_LIFE: Final = 10.0
"""Seconds."""

logger = logging.getLogger(__name__)

Spawn = Callable[[], Awaitable[WorkerProcess]]


class Generation:
    """``listeners`` are for HTTP. ``spawn`` starts a worker, and has it run.

    Once it has begun, another worker waits with its code and configuration loaded: it takes the place of one that
    dies at once.
    """

    def __init__(self, wants: Wants, listeners: Sequence[socket.socket], spawn: Spawn, changed: Wakeup) -> None:
        self.wants = wants
        self.listeners = listeners
        self.is_over = False
        """Its workers are to end when their calls have, and have no successors."""
        self.failure = ""
        """Why it could not begin."""
        self._is_on_trial = True
        self._workers: list[WorkerProcess] = []
        self._spare: WorkerProcess | None = None
        self._has_begun = False
        self._spawn = spawn
        self._changed = changed

    @property
    def workers(self) -> list[WorkerProcess]:
        """With the one that waits."""
        return [*self._workers, *([self._spare] if self._spare is not None else ())]

    @property
    def has_begun(self) -> bool:
        """Whether all of its workers take calls, or have."""
        if not self._has_begun:
            self._has_begun = len(self._workers) == self.wants.workers and all(one.is_ready for one in self._workers)
        return self._has_begun

    def take_over(self) -> None:
        """From now on sessions are its workers'."""
        self._is_on_trial = False
        for worker in self._workers:
            worker.is_on_trial = False

    async def keep_one(self, media: MediaSockets, first: WorkerProcess | None = None) -> None:
        """A worker on these sockets, and then the next one, until it is over and the last one has ended."""
        pause = 0.0
        while True:
            worker, first = first or await self._next_worker(), None
            began = trio.current_time()
            if worker is not None:
                await self._see_through(worker, media)
            if self.is_over:
                return
            if not self.has_begun:
                self.failure = f"{worker} {worker.reason}" if worker else "no process could be started"
                self._changed.wake()
                return
            if trio.current_time() - began > LONG_LIFE:
                pause = 0.0
            await trio.sleep(pause)
            pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE_OF_READY)

    async def keep_spare(self) -> None:
        """Have a worker wait until the place of one is free, as long as it is not over."""
        pause = FIRST_PAUSE
        while not self.is_over:
            self._spare = spare = await self._spawned()
            while self._spare is not None and self._spare.exit_code is None and not self.is_over:
                await self._changed.wait()
            if self._spare is None and spare is not None:
                pause = FIRST_PAUSE  # it was taken
                continue
            self._spare = None
            if not self.is_over:
                logger.error("the next worker cannot begin; the one after it starts in %g s", pause)
                await trio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _next_worker(self) -> WorkerProcess | None:
        """The one that waits, as soon as it does; at first there is none."""
        if not self.has_begun:
            return await self._spawned()
        while self._spare is None or self._spare.wants is None:
            if self.is_over:
                return None
            await self._changed.wait()
        worker, self._spare = self._spare, None
        self._changed.wake()
        return worker

    async def _spawned(self) -> WorkerProcess | None:
        try:
            return await self._spawn()
        except OSError as error:
            logger.error("no process could be started for a worker: %s", error)
            return None

    async def _see_through(self, worker: WorkerProcess, media: MediaSockets) -> None:
        """From its beginning to its end."""
        self._workers.append(worker)
        worker.is_on_trial = self._is_on_trial
        while worker.exit_code is None:
            if worker.wants is not None and not worker.is_welcome:
                self._welcome(worker, media)
            await self._changed.wait()
        self._workers.remove(worker)

    def _welcome(self, worker: WorkerProcess, media: MediaSockets) -> None:
        """Give it what it has asked for."""
        worker.is_welcome = True
        sockets = [*self.listeners, *media.udp, *media.tcp]
        counts = len(self.listeners), len(media.udp), len(media.tcp)
        worker.say(Welcome(worker.number, SECRET, *counts), [sock.fileno() for sock in sockets])
