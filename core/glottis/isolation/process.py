"""A worker's process: how it is started, watched and ended."""

import logging
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from glottis.config import Workers
from glottis.contracts.errors import Malformed, ProcessLost
from glottis.isolation import messages
from glottis.isolation.messages import LONGEST_FROM_WORKER
from glottis.isolation.orders import Order
from glottis.isolation.pickles import pickled
from glottis.isolation.pipe import Pipe
from glottis.isolation.places import Places
from glottis.isolation.remote_call import MAX_UNSENT
from glottis.isolation.worker_log import Lines, log_line
from glottis.wire.token_bucket import TokenBucket

LOOK: Final = 0.5
"""Seconds between looks at a worker: at its memory, and for a sign of life."""
START_PATIENCE: Final = 120.0
"""Seconds for a worker to load its agent, which may be a large model."""
STOP_PATIENCE: Final = 5.0
"""Seconds for an agent to stop that was cancelled."""
GOODBYE: Final = 1.0
"""Seconds for a process to end whose pipe was closed."""
LAST_WORDS: Final = 0.5
"""Seconds to read what a process that has ended had written."""
LINES_PER_SECOND: Final = 200
"""Of its log; who writes more waits."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

logger = logging.getLogger(__name__)


class WorkerProcess:
    """Made by ``open_worker``. ``whose`` names plugin and agent for the log."""

    def __init__(self, whose: str, settings: Workers, process: trio.Process, places: Places) -> None:
        self.places = places
        self.left = trio.Event()
        """Set when it takes no more calls: it has ended, or is to when those that it has are over."""
        self.reason = ""
        """Why it has ended; empty where the gateway wanted it to."""
        self.calls_lost = 0
        """Those that have ended with it."""
        self._whose = whose
        self._settings = settings
        self._process = process
        self._is_dismissed = False
        """Whether it ends because the gateway wants it to."""
        self._lines = Lines()
        self._kept_up_at = trio.current_time()
        """When it has last taken what was sent to it, but for what can be left out."""
        self._line_rate = TokenBucket(LINES_PER_SECOND, LINES_PER_SECOND, trio.current_time())

    def __str__(self) -> str:
        return f"process {self._process.pid} of {self._whose}"

    @property
    def has_room(self) -> bool:
        """Whether a call can have a place."""
        return self.places.has_room and not self.left.is_set()

    def retire(self) -> None:
        """Take no more calls, and end when those that there are have ended."""
        self.left.set()

    async def run(self) -> None:
        """Until it has ended, or is to; its calls are told."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.places.write)
                nursery.start_soon(self._log)
                nursery.start_soon(self._watch, nursery.cancel_scope)
                nursery.start_soon(self._wait, nursery.cancel_scope)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self.places.is_ready = False
            self._is_dismissed |= trio.current_effective_deadline() == -math.inf
            with trio.CancelScope(shield=True):
                await self._end()
            self._lose_calls()
            self.left.set()

    async def _read(self) -> None:
        try:
            await self.places.read_untrusted()
        except Malformed as error:
            self._kill(f"told what makes no sense: {error}")
        if self.places.refusal:
            self.reason = f"could not make its agent: {self.places.refusal}"

    async def _wait(self, scope: trio.CancelScope) -> None:
        """The pipe's end is seen with it, unless a child of the process holds that."""
        await self._process.wait()
        await trio.sleep(LAST_WORDS)
        scope.cancel()

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Its memory, its signs of life, and agents that do not stop."""
        while True:
            await trio.sleep(LOOK)
            now = trio.current_time()
            if (trouble := self._trouble(now)) is not None:
                self._kill(trouble)
            if self.places.longest_leave(now) > STOP_PATIENCE and not self.left.is_set():
                logger.error("%s: an agent was cancelled %g s ago and has not stopped", self, STOP_PATIENCE)
                self.retire()
            if self.left.is_set() and not self.places.has_calls:
                self._is_dismissed = True
                scope.cancel()
            self.places.send(messages.Ping())

    def _trouble(self, now: float) -> str | None:
        patience = self._settings.patience if self.places.is_ready else START_PATIENCE
        if now - self.places.heard_at > patience:
            return f"has not answered for {patience:g} s"
        if self.places.waiting <= MAX_UNSENT:
            self._kept_up_at = now
        elif now - self._kept_up_at > patience:
            return f"has not read for {patience:g} s what it is sent"
        limit = self._settings.memory_limit_mb
        if limit and (used := _memory(self._process.pid) >> 20) > limit:
            return f"has grown to {used} MiB of memory, more than {limit}"
        return None

    def _kill(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._kill_group()

    def _kill_group(self) -> None:
        """It, and whatever processes it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _log(self) -> None:
        assert self._process.stderr is not None
        async for data in self._process.stderr:
            for line in self._lines.feed(data):
                log_line(line, str(self))
                if (seconds := self._line_rate.borrow(trio.current_time())) > 0:
                    await trio.sleep(seconds)

    async def _end(self) -> None:
        self.places.close()
        with trio.move_on_after(GOODBYE):
            await self._process.wait()
        self._kill_group()
        code = await self._process.wait()
        if not self.reason and not self._is_dismissed:
            self.reason = f"was ended by {_signal(-code)}" if code < 0 else f"has left with exit code {code}"
        assert self._process.stderr is not None
        with trio.move_on_after(LAST_WORDS):
            await self._log()
        await self._process.stderr.aclose()

    def _lose_calls(self) -> None:
        reason = self.reason or "was to end"
        error = ProcessLost(f"{self._whose}: its process {self._process.pid} {reason}", f"the agent's process {reason}")
        self.calls_lost = self.places.lose(error)


@asynccontextmanager
async def open_worker(
    whose: str, order: Order, settings: Workers, changed: Callable[[], None]
) -> AsyncIterator[WorkerProcess]:
    """A worker that loads the agent; ``run`` it. Raises ``OSError`` if the machine lets no further process start."""
    ours, theirs = socket.socketpair()
    lifeline, our_end = os.pipe()
    with ours, os.fdopen(our_end, "wb"):
        with theirs, os.fdopen(lifeline, "rb"):
            process = await trio.lowlevel.open_process(
                [sys.executable, "-P", "-m", "glottis.isolation", str(theirs.fileno()), str(lifeline)],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(), lifeline),
                process_group=0,  # so that Ctrl-C is the gateway's alone
            )
        _stand_back(process.pid, settings.nice)
        places = Places(Pipe(ours, LONGEST_FROM_WORKER), settings.calls_per_process, changed)
        places.send(messages.Order(pickled(order)))
        yield WorkerProcess(whose, settings, process, places)


def _stand_back(pid: int, steps: int) -> None:
    """Before it starts a thread: those that it has by then would keep their priority."""
    nice = os.getpriority(os.PRIO_PROCESS, 0) + steps
    with suppress(OSError):  # it has ended already, or the system has a rule of its own
        os.setpriority(os.PRIO_PROCESS, pid, nice)


def _memory(pid: int) -> int:
    """Bytes of a process that are in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
