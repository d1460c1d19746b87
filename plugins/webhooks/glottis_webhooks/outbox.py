"""Events on their way: in memory at first, on disk as soon as a thread has written them, and gone when delivered.

A session never waits for the disk. Where that is full or gone, events stay in memory, up to ``MAX_IN_MEMORY``.
"""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from glottis_webhooks.spool import Spool, name_of, parts_of

MAX_IN_MEMORY: Final = 1000
"""Events that are not on disk."""
HEIR_PAUSE: Final = 60.0
"""Seconds between looks at what other processes have left: those before a reload end when their calls do."""
DISK_PAUSE: Final = 5.0
"""Seconds after which a disk is tried again that has failed."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Entry:
    """An event. ``body`` is None while it is on disk alone."""

    name: str
    body: bytes | None = None
    is_on_disk: bool = False
    is_gone: bool = False
    """Delivered, or given up."""
    refusals: int = 0

    @property
    def message_id(self) -> str:
        """By which its receiver knows it again."""
        return parts_of(self.name)[1]

    @property
    def created_at(self) -> float:
        """Seconds since 1970."""
        return parts_of(self.name)[0]


class Outbox:
    """``put`` may be called at any time; ``run`` writes what was put. The oldest give way beyond ``max_events``."""

    def __init__(
        self,
        spool: Spool,
        max_events: int,
        max_in_memory: int = MAX_IN_MEMORY,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.dropped = 0
        """That there was no room for."""
        self.corrupt = 0
        """Files that hold no event."""
        self._spool = spool
        self._max_events = max_events
        self._max_in_memory = max_in_memory
        self._now_ns = now_ns
        self._waiting: deque[Entry] = deque()
        self._taken: set[Entry] = set()
        self._unwritten: deque[Entry] = deque()
        self._given_way: list[str] = []
        """Names of files that are to be deleted."""
        self._disk = trio.Lock()
        self._news = trio.Event()
        self._arrival, self._departure = trio.lowlevel.ParkingLot(), trio.lowlevel.ParkingLot()
        self._disk_has_failed = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    async def open(self) -> None:
        """Take in what lies there. Raises ``OSError``."""
        names = await trio.to_thread.run_sync(self._spool.open, abandon_on_cancel=True)
        self._waiting.extend(Entry(name, is_on_disk=True) for name in names)

    def put(self, body: bytes) -> None:
        """One more."""
        entry = Entry(name_of(self._now_ns(), f"msg_{secrets.token_urlsafe(18)}"), body)
        self._waiting.append(entry)
        self._unwritten.append(entry)
        if len(self._unwritten) > self._max_in_memory:
            self._drop(self._unwritten.popleft())
        self._make_room()
        self._news.set()
        self._arrival.unpark_all()

    async def take(self) -> Entry:
        """The oldest that nobody has taken, once there is one."""
        while not self._waiting:
            await self._arrival.park()
        entry = self._waiting.popleft()
        self._taken.add(entry)
        return entry

    def put_back(self, entry: Entry) -> None:
        """It is to be tried again."""
        self._taken.discard(entry)
        if not entry.is_gone:
            self._waiting.appendleft(entry)
            self._arrival.unpark_all()

    async def body_of(self, entry: Entry) -> bytes | None:
        """None for a file that holds no event, or cannot be read."""
        if entry.body is not None:
            return entry.body
        async with self._disk:
            try:
                body = await trio.to_thread.run_sync(self._spool.read, entry.name, abandon_on_cancel=True)
            except OSError:
                body = None
        if body is None:
            self.corrupt += 1
            if self.corrupt == 1:
                logger.error(
                    "an event in the directory of webhooks cannot be read, and is put aside: so are further ones"
                )
        return body

    async def remove(self, entry: Entry) -> None:
        """It is delivered, or given up."""
        entry.is_gone = True
        async with self._disk:  # where it may just be written
            if entry.is_on_disk:
                await self._deleted(entry.name)
        self._forget(entry)

    async def empty(self) -> None:
        """Wait until all are delivered or given up."""
        while len(self):
            await self._departure.park()

    async def run(self) -> None:
        """Until cancelled: write what was put, and delete what has given way."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            await self.write()
            if self._disk_has_failed:
                await trio.sleep(DISK_PAUSE)
                self._news.set()

    async def inherit(self) -> None:
        """Until cancelled: take in what processes have left that have gone meanwhile."""
        while True:
            await trio.sleep(HEIR_PAUSE)
            async with self._disk:
                names = await trio.to_thread.run_sync(self._spool.inherit, abandon_on_cancel=True)
            if names:
                self._waiting.extendleft(Entry(name, is_on_disk=True) for name in reversed(names))
                self._make_room()
                self._news.set()
                self._arrival.unpark_all()

    async def write(self) -> None:
        """All that is not on disk, as far as that takes it."""
        while self._given_way:
            async with self._disk:
                await self._deleted(self._given_way.pop())
        while self._unwritten:
            async with self._disk:
                entry = self._unwritten[0]
                if not entry.is_gone and not await self._written(entry):
                    return
                if self._unwritten and self._unwritten[0] is entry:  # else it had to give way meanwhile
                    self._unwritten.popleft()
        if self._disk_has_failed:
            self._disk_has_failed = False
            logger.info("the directory of webhooks takes events again")

    async def close(self) -> None:
        """Write the rest, and let go of the directory."""
        try:
            await self.write()
            await trio.to_thread.run_sync(self._spool.close, abandon_on_cancel=True)
        finally:
            if lost := sum(not entry.is_gone for entry in self._unwritten):
                logger.error("the directory of webhooks takes no events until the end: lost with the process %d", lost)

    def _make_room(self) -> None:
        while len(self) > self._max_events and self._waiting:
            self._drop(self._waiting[0])

    async def _deleted(self, name: str) -> None:
        try:
            await trio.to_thread.run_sync(self._spool.delete, name, abandon_on_cancel=True)
        except OSError as error:
            self._tell_disk(error)

    async def _written(self, entry: Entry) -> bool:
        assert entry.body is not None
        try:
            await trio.to_thread.run_sync(self._spool.write, entry.name, entry.body, abandon_on_cancel=True)
        except OSError as error:
            self._tell_disk(error)
            return False
        entry.body, entry.is_on_disk = None, True
        if entry.is_gone and entry not in self._taken:  # it has given way meanwhile
            self._given_way.append(entry.name)
        return True

    def _drop(self, entry: Entry) -> None:
        self.dropped += 1
        if self.dropped == 1:
            logger.error(
                "events for webhooks are more than there is room for: the oldest give way, uncounted from here"
            )
        if entry in self._waiting:
            self._waiting.remove(entry)
        if entry.is_on_disk:
            self._given_way.append(entry.name)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        entry.is_gone = True
        self._taken.discard(entry)
        self._departure.unpark_all()

    def _tell_disk(self, error: OSError) -> None:
        """Once per outage."""
        if not self._disk_has_failed:
            self._disk_has_failed = True
            what = error.strerror or str(error)
            logger.error("the directory of webhooks takes no events (%s): they are kept in memory", what)
