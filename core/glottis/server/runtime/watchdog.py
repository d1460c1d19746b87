"""Watches the event loop from a thread of its own, and tells who holds it up: while it lasts, and even if for ever.

Nothing is noted for each packet or step of a task: when there is a stall, the thread looks at the stack of the loop.
"""

import gc
import logging
import math
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import trio

from glottis.config import flush_logs
from glottis.plugins import Plugin
from glottis.plugins.failures import log_failure
from glottis.server.runtime.pauses import Pauses
from glottis.server.runtime.stall_log import StallLog
from glottis.server.runtime.turn import Turn, whose_turn
from glottis.wire.token_bucket import TokenBucket

logger = logging.getLogger(__name__)

STALL: Final = 0.1
"""Seconds that one turn of the event loop may take; longer ones are worth a log line."""
INTERVAL: Final = 0.05
"""Seconds between looks at the loop."""
HOPELESS: Final = 1.0
"""Seconds of one turn after which a process that has been told to end does not wait for it any longer."""
EXIT_ABANDONED: Final = 1
"""The process's exit code when an agent had to be left behind."""


class Heartbeat(trio.abc.Instrument):
    """Notes when a turn of the event loop begins, that is, when it has waited for I/O and has something to do."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.began = math.inf
        """The turn that goes on; never, while the loop waits."""
        self.last_stall = (-math.inf, -math.inf)
        """When the last turn that was too long began and ended."""
        self._clock = clock

    def begin_anew(self) -> None:
        """What the turn has done so far is no part of it."""
        self.began = self._clock()

    def after_io_wait(self, timeout: float) -> None:
        """See ``trio.abc.Instrument``."""
        self.began = self._clock()

    def before_io_wait(self, timeout: float) -> None:
        """See ``trio.abc.Instrument``."""
        now = self._clock()
        if now - self.began > STALL:
            self.last_stall = (self.began, now)
        self.began = math.inf


class StallReporter:
    """Looks at a ``Heartbeat`` now and then, and writes the log: one line while a stall lasts, and one when it is over.

    ``whose_turn`` samples the loop's stack. ``processor_time`` is the process's: a loop that was held up without using
    any, and a look that came late itself, mean that the machine did not let the process run.
    """

    def __init__(
        self,
        heartbeat: Heartbeat,
        whose_turn: Callable[[], Turn],
        pauses: Pauses,
        *,
        clock: Callable[[], float] = time.monotonic,
        processor_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._heartbeat = heartbeat
        self._whose_turn = whose_turn
        self._pauses = pauses
        self._clock = clock
        self._processor_time = processor_time
        self._looked_at = clock()
        self._used = processor_time()
        self._known: tuple[float, str] = (math.nan, "")
        """When the last stall began that was seen while it lasted, and what is to blame."""
        self._suspect: tuple[float, Turn] | None = None
        """Who was seen in the middle of what may become a stall, and when that began."""
        self._last_stall = heartbeat.last_stall
        self._log = StallLog(self._looked_at)

    def look(self) -> None:
        """At the loop; to be called every ``INTERVAL`` seconds."""
        now, used = self._clock(), self._processor_time()
        passed = now - self._looked_at
        starved = passed > STALL and used - self._used < passed / 2
        self._looked_at, self._used = now, used
        self._log.sum_up(now)
        began, last_stall = self._heartbeat.began, self._heartbeat.last_stall
        if last_stall != self._last_stall:
            self._last_stall = last_stall
            self._tell_end(*last_stall, starved=starved)
        if now - began < STALL / 2 or starved or self._known[0] == began or self._is_garbage(began, now):
            return
        turn = self._whose_turn()
        if now - began > STALL:
            self._tell_start(began, now, turn)
        self._suspect = (began, turn)

    def _tell_start(self, began: float, now: float, turn: Turn) -> None:
        suspect = self._suspect
        alone = suspect is None or suspect[0] != began or turn.is_of(suspect[1])
        cause = str(turn) if alone else f"many things in one turn, now by {turn}"
        self._known = (began, cause)
        self._log.tell_start(now - began, cause, turn.stack)

    def _tell_end(self, began: float, ended: float, *, starved: bool) -> None:
        if self._known[0] == began:
            cause = f"by {self._known[1]}"
        elif self._is_garbage(began, ended):
            cause = "by a garbage collection"
        elif starved:
            cause = "because the machine was suspended, or is busy with other things"
        else:
            cause = "by something that was over before it could be seen"
        self._log.tell_end(ended - began, cause)

    def _is_garbage(self, began: float, ended: float) -> bool:
        """This thread is held up, too, and can look only when it is over: who is seen then is innocent."""
        return self._pauses.share(began, ended) > 0.5


class Watchdog:
    """A thread that watches the event loop of the thread which makes it; see ``watching``."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = plugins
        self.pauses = Pauses()
        """Those of garbage collections."""
        self._heartbeat = Heartbeat()
        self._loop_thread = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._leave_at = math.inf
        self._patience: Mapping[int, float] = {}
        self._complaints = TokenBucket(1 / 60, 1, time.monotonic())
        self._news, self._tell = socket.socketpair()
        self._tell.setblocking(False)

    def start(self) -> None:
        """Begin to watch."""
        gc.callbacks.append(self.pauses)
        trio.lowlevel.add_instrument(self._heartbeat)
        self._thread.start()

    def stop(self) -> None:
        """The thread ends; unless it is writing to a log of others, which may block."""
        gc.callbacks.remove(self.pauses)
        trio.lowlevel.remove_instrument(self._heartbeat)
        self._tell.shutdown(socket.SHUT_WR)
        self._thread.join(1.0)
        self._tell.close()

    def excuse(self) -> None:
        """What this turn has done so far, and all collections of garbage: nobody has waited for them."""
        self.pauses.forget()
        self._heartbeat.begin_anew()

    @contextmanager
    def guarding_exit(self, patience: Mapping[int, float]) -> Iterator[None]:
        """Let these signals end the process while the loop is blocked for ever, so many seconds after they came.

        The loop itself cannot take them then, and neither can Python's handlers while code in C goes on. A signal's
        number is written to the wakeup descriptor in any case. Only for the main thread.
        """
        self._patience = patience
        trios = signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(trios)

    def _run(self) -> None:
        reporter = StallReporter(self._heartbeat, self._whose_turn, self.pauses)
        news = select.poll()
        news.register(self._news, select.POLLIN)
        is_wanted = True
        while is_wanted:
            with self._survived():
                is_wanted = not news.poll(INTERVAL * 1e3) or self._take_signals()
            with self._survived():
                reporter.look()
            if self._is_hopeless():
                with self._survived():
                    self._tell_of_leaving()
                os._exit(EXIT_ABANDONED)
        self._news.close()

    def _take_signals(self) -> bool:
        """Have the loop look at them; false when there will be no more."""
        signals = self._news.recv(64)
        for signum in signals:
            self._leave_at = min(self._leave_at, time.monotonic() + self._patience.get(signum, math.inf))
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(_wake)
        return bool(signals)

    def _is_hopeless(self) -> bool:
        now = time.monotonic()
        return now > self._leave_at and now - self._heartbeat.began > HOPELESS

    def _tell_of_leaving(self) -> None:
        turn = self._whose_turn()
        logger.error("the event loop is blocked by %s, which is at: %s; leaving without it", turn, turn.stack)
        flush_logs()

    def _whose_turn(self) -> Turn:
        return whose_turn(sys._current_frames().get(self._loop_thread), self._plugins)

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """The loop may go on while its frames are looked at, and no surprise in them shall end the watch."""
        try:
            yield
        except BaseException as error:
            if not self._complaints.take(time.monotonic()):
                log_failure(logger, error, "the watchdog could not see who has the event loop")


@contextmanager
def watching(plugins: Sequence[Plugin]) -> Iterator[Watchdog]:
    """Have a watchdog for the event loop that runs here, while the block lasts."""
    watchdog = Watchdog(plugins)
    watchdog.start()
    try:
        yield watchdog
    finally:
        watchdog.stop()


def _wake() -> None:
    """The loop looks for signals whenever it wakes up."""
