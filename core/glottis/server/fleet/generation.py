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
"""Seconds before the successor of a worker starts; each time twice as long, until one has lived for a while."""
LONGEST_PAUSE: Final = 10.0
"""Where workers die before they take calls."""
LONGEST_PAUSE_OF_READY: Final = 0.5
"""Where they have taken calls: callers are waiting."""
LONG_LIFE: Final = 10.0
"""Seconds."""

logger = logging.getLogger(__name__)

Spawn = Callable[[], Awaitable[WorkerProcess]]


class Generation:
    """``listeners`` are for HTTP. ``spawn`` starts a worker, and has it run."""

    def __init__(self, wants: Wants, listeners: Sequence[socket.socket], changed: Wakeup) -> None:
        self.wants = wants
        self.listeners = listeners
        self.workers: list[WorkerProcess] = []
        self.is_over = False
        """Its workers are to end when their calls have, and have no successors."""
        self.failure = ""
        """Why it could not begin."""
        self._has_begun = False
        self._changed = changed

    @property
    def has_begun(self) -> bool:
        """Whether all of its workers take calls, or have."""
        if not self._has_begun:
            self._has_begun = len(self.workers) == self.wants.workers and all(one.is_ready for one in self.workers)
        return self._has_begun

    def welcome(self, worker: WorkerProcess, media: MediaSockets) -> None:
        """Give it what it has asked for."""
        sockets = [*self.listeners, *media.udp, *media.tcp]
        counts = len(self.listeners), len(media.udp), len(media.tcp)
        worker.say(Welcome(worker.number, SECRET, *counts), [sock.fileno() for sock in sockets])

    async def keep_one(self, media: MediaSockets, spawn: Spawn, first: WorkerProcess | None = None) -> None:
        """A worker on these sockets, and then the next one, until it is over and the last one has ended."""
        pause = FIRST_PAUSE
        while True:
            began = trio.current_time()
            worker, first = first or await self._spawn(spawn), None
            was_ready = worker is not None and await self._see_through(worker, media)
            if self.is_over:
                return
            if not self.has_begun:
                self.failure = worker.reason if worker else "no process could be started"
                self._changed.wake()
                return
            if trio.current_time() - began > LONG_LIFE:
                pause = FIRST_PAUSE
            pause = min(pause, LONGEST_PAUSE_OF_READY if was_ready else LONGEST_PAUSE)
            logger.info("the next worker starts in %g s", pause)
            await trio.sleep(pause)
            pause *= 2

    async def _spawn(self, spawn: Spawn) -> WorkerProcess | None:
        try:
            return await spawn()
        except OSError as error:
            logger.error("no process could be started for a worker: %s", error)
            return None

    async def _see_through(self, worker: WorkerProcess, media: MediaSockets) -> bool:
        """To its end; says whether it has taken calls."""
        self.workers.append(worker)
        is_welcome = False
        while worker.exit_code is None:
            if worker.wants is not None and not is_welcome:
                is_welcome = True
                self.welcome(worker, media)
            await self._changed.wait()
        self.workers.remove(worker)
        return bool(worker.media)
