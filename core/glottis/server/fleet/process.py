"""A worker's process, as the parent sees it: how it is started, heard, and ended."""

import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

import trio

from glottis.contracts.errors import Malformed
from glottis.server.fleet.channel import MAX_WAITING, Channel, close_all, open_channel_pair
from glottis.server.fleet.environment import Role, as_worker
from glottis.server.fleet.messages import (
    PROTOCOL,
    Beat,
    FromParent,
    FromWorker,
    Hello,
    Ready,
    Wants,
    encode,
    parse_counts_untrusted,
    parse_from_worker_untrusted,
)
from glottis.server.runtime.counts import GatewayCounts

LOOK: Final = 0.5
"""Seconds between looks at a worker, and between its signs of life."""
START_PATIENCE: Final = 300.0
"""Seconds for a worker to load its configuration, and with it agents, which may be large models."""
SILENT_LOOKS: Final = 4
"""Without a sign of life, after which a worker is given no sessions while another can have them: on a busy machine some
are late."""
ON_ITS_WAY: Final = 1.0
"""Seconds for which a session counts that a worker was asked to create, and that it has not claimed."""

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Who is told what a worker says."""

    def take(self, worker: "WorkerProcess", message: FromWorker, descriptors: Sequence[int]) -> None:
        """Everything but what is about the process itself; the descriptors stay the caller's to close."""

    def ended(self, worker: "WorkerProcess") -> None:
        """Its process is gone."""


class WorkerProcess:
    """Made by ``start_worker``; ``run`` it."""

    def __init__(self, number: int, process: trio.Process, channel: Channel) -> None:
        self.number = number
        self.wants: Wants | None = None
        """Once it has said so."""
        self.media = ""
        """Where it has calls, once it takes some."""
        self.unavailable = "STARTING"
        """Why it takes no further session; empty if it does."""
        self.told_state: str | None = None
        """What it was told last of all workers together."""
        self.counts = GatewayCounts()
        """What it has counted, as far as it has told."""
        self.reason = ""
        """Why it has ended, where it was not to."""
        self.is_welcome = False
        """It has its sockets."""
        self.is_on_trial = False
        """It gets no sessions yet: others that were started with it may not come to take calls."""
        self.is_leaving = False
        """It was told to end."""
        self.exit_code: int | None = None
        self._process = process
        self._channel = channel
        self._silent_looks = 0
        self._trying: deque[float] = deque()
        self._others: deque[float] = deque()

    def __str__(self) -> str:
        return f"worker {self.number} (process {self._process.pid})"

    @property
    def is_ready(self) -> bool:
        """Whether it could take calls."""
        return bool(self.media) and self.exit_code is None and not self.is_leaving

    @property
    def takes_sessions(self) -> bool:
        """Whether it is given some."""
        return self.is_ready and not self.is_on_trial

    @property
    def is_silent(self) -> bool:
        """Whether it may stand still: it has not been heard for longer than it is from one sign of life to the next."""
        return self._silent_looks > SILENT_LOOKS

    @property
    def has_room(self) -> bool:
        """Whether it can be given more than it has to be told: who does not read that is ended."""
        return not self._channel.is_closed and self._channel.waiting < MAX_WAITING // 2

    def say(self, message: FromParent, descriptors: Sequence[int] = ()) -> bool:
        """False if it is gone or about to, or takes nothing: then it is ended."""
        is_said = self._channel.send(encode(message), descriptors)
        if self._channel.is_overrun and self.exit_code is None:
            self.kill("has not read for too long what it is told")
        return is_said

    def note_asked(self, now: float, *, may_try: bool) -> None:
        """It was given a request for a session, or one that it is to refuse."""
        (self._trying if may_try else self._others).append(now)

    def note_claimed(self) -> None:
        """It has claimed a session, or will not."""
        if self._trying:
            self._trying.popleft()

    def coming(self, now: float) -> int:
        """How many sessions it was asked for lately, and has not claimed."""
        return _lately(self._trying, now)

    def asked(self, now: float) -> int:
        """The same with those requests that it has to refuse, which are work, too."""
        return _lately(self._trying, now) + _lately(self._others, now)

    def look(self) -> None:
        """To be called every ``LOOK`` seconds, after all that has come was read: ends it if it stands still."""
        if self.wants is not None and not self.is_welcome:
            return  # it waits until it is needed
        self._silent_looks += 1
        patience = self.wants.patience if self.media and self.wants else START_PATIENCE
        if self._silent_looks * LOOK > patience and self.exit_code is None:
            self.kill(f"has given no sign of life for {patience:g} s")

    def kill(self, reason: str = "") -> None:
        """End it at once, with all of its calls."""
        self.reason = self.reason or reason
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._process.pid, signal.SIGKILL)

    async def run(self, owner: Owner) -> None:
        """Until its process has ended; cancelled, it ends that."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._channel.run)
                nursery.start_soon(self._read, owner)
                await self._process.wait()
                nursery.cancel_scope.cancel()
        finally:
            if self._process.returncode is None:
                self.kill()
            with trio.CancelScope(shield=True):
                self.exit_code = code = await self._process.wait()
            self._channel.close()
            self.reason = self.reason or _end_of(code)
            owner.ended(self)

    async def _read(self, owner: Owner) -> None:
        try:
            while (received := await self._channel.receive_untrusted()) is not None:
                body, descriptors = received
                try:
                    self._take(parse_from_worker_untrusted(body), descriptors, owner)
                finally:
                    close_all(descriptors)
        except Malformed as error:
            self.kill(f"told what makes no sense: {error}")

    def _take(self, message: FromWorker, descriptors: Sequence[int], owner: Owner) -> None:
        self._silent_looks = 0
        match message:
            case Hello(protocol, version) if protocol != PROTOCOL:
                self.kill(f"is of glottis {version}, which this parent does not understand: restart the service")
            case Hello(_, _, wants):
                self.wants = self.wants or wants
            case Ready(media):
                self.media = media or "-"
            case Beat(unavailable, figures):
                self.unavailable = unavailable
                self._note_counts(figures)
        if not self.reason:
            owner.take(self, message, descriptors)

    def _note_counts(self, figures: bytes) -> None:
        try:
            self.counts = parse_counts_untrusted(figures)
        except Malformed as error:
            self.kill(f"told what makes no sense: {error}")


async def start_worker(number: int) -> WorkerProcess:
    """The program that runs here, once more, as a worker. Raises ``OSError`` if the machine lets none start."""
    ours, theirs = open_channel_pair()
    try:
        with theirs:
            process = await trio.lowlevel.open_process(
                [sys.executable, *sys.orig_argv[1:]],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=as_worker(os.environ, Role(theirs.fileno(), number)),
                process_group=0,  # so that Ctrl-C is the parent's alone
            )
    except BaseException:
        ours.close()
        raise
    return WorkerProcess(number, process, Channel(ours))


def _lately(moments: deque[float], now: float) -> int:
    while moments and now - moments[0] > ON_ITS_WAY:
        moments.popleft()
    return len(moments)


def _end_of(code: int) -> str:
    if code >= 0:
        return f"has left with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
