"""What has become of sessions, written to Redis as soon as that takes it."""

import logging
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

import trio
from glottis import CallEvent, CallInfo, StateChanged, Statistics

from glottis_cluster.membership import Membership
from glottis_cluster.settings import ClusterConfig
from glottis_cluster.store import Store, Unreachable

AT_A_TIME: Final = 100
"""Sessions that are written in one request."""
MOST_ENDED: Final = 10_000
"""Ended sessions that wait for Redis; beyond, the oldest are forgotten."""
MAX_REASON: Final = 200
"""Characters."""
AGAIN: Final = 6 * 3600.0
"""Seconds after which what lives is written once more: keys are kept for a day."""
PAUSE: Final = 0.2

CURRENT_WISH: Final[ContextVar[str]] = ContextVar("current_wish", default="")
"""The wish that the session comes of that is created in this task."""

logger = logging.getLogger(__name__)


class Note:
    """A session, as far as others may know of it."""

    __slots__ = ("fields", "has_ended", "session_id", "wish")

    def __init__(self, session_id: str, wish: str, fields: dict[str, str]) -> None:
        self.session_id = session_id
        self.wish = wish
        self.fields = fields
        self.has_ended = False

    def arguments(self) -> list[str | int]:
        """Of the script ``note``."""
        fields = [part for pair in self.fields.items() for part in pair]
        return [self.session_id, self.wish, int(self.has_ended), len(fields), *fields]


class Notebook:
    """``run`` writes until cancelled."""

    def __init__(self, config: ClusterConfig, store: Store, membership: Membership) -> None:
        self._history = round(config.history_hours * 3_600_000)
        self._store = store
        self._membership = membership
        self._living: dict[str, Note] = {}
        self._unwritten: dict[str, Note] = {}
        self._news = trio.Event()
        self._writing = trio.Lock()
        self._is_full = False
        self.forgotten = 0
        """Ended sessions of which the others are not told."""

    def __len__(self) -> int:
        return len(self._living)

    def begin(self, info: CallInfo) -> "SessionNotes":
        """A session is created."""
        about = {
            "state": "created",
            "url": self._membership.url,
            "campaign": info.campaign_id,
            "principal": info.principal.name,
        }
        note = self._living[info.session_id] = Note(info.session_id, CURRENT_WISH.get(), about)
        self.put(note)
        return SessionNotes(self, note)

    def put(self, note: Note) -> None:
        """It has changed."""
        self._unwritten[note.session_id] = note
        if note.has_ended:
            self._living.pop(note.session_id, None)
            if len(self._unwritten) > MOST_ENDED + len(self._living):
                self._forget_one()
        self._news.set()

    async def write_all(self) -> None:
        """Redis knows nothing of them."""
        self._unwritten.update(self._living)
        self._news.set()
        await self.write()

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._repeat)
            while True:
                await self._news.wait()
                self._news = trio.Event()
                if not await self.write():
                    await trio.sleep(PAUSE)
                    self._news.set()

    async def write(self) -> bool:
        """What is to be written; says whether all was. One at a time, for the order tells what was last."""
        async with self._writing:
            while self._unwritten:
                if not (self._membership.is_in and await self._write(list(self._some()))):
                    return False
        return True

    async def _write(self, notes: list[Note]) -> bool:
        """Where another node has the name, they would be taken for its."""
        for note in notes:
            del self._unwritten[note.session_id]
        arguments = [argument for note in notes for argument in note.arguments()]
        try:
            await self._store.call("note", self._store.prefix, self._membership.member, self._history, *arguments)
        except Unreachable:
            for note in notes:
                self._unwritten.setdefault(note.session_id, note)
            return False
        for note in notes:
            note.wish = ""
        return True

    def _some(self) -> Iterator[Note]:
        for _, note in zip(range(AT_A_TIME), self._unwritten.values(), strict=False):
            yield note

    def _forget_one(self) -> None:
        oldest = next(note for note in self._unwritten.values() if note.has_ended)
        del self._unwritten[oldest.session_id]
        self.forgotten += 1
        if not self._is_full:
            self._is_full = True
            logger.warning("Redis has been away for so long that the ends of the oldest sessions are forgotten")

    async def _repeat(self) -> None:
        while True:
            await trio.sleep(AGAIN)
            await self.write_all()


class SessionNotes:
    """A ``SessionObserver``."""

    def __init__(self, notebook: Notebook, note: Note) -> None:
        self._notebook = notebook
        self._note = note

    def event(self, event: CallEvent) -> None:
        """See ``SessionObserver``."""
        if isinstance(event, StateChanged) and event.state not in ("ending", "ended"):
            self._note.fields["state"] = event.state
            self._notebook.put(self._note)

    def ended(self, reason: str, statistics: Statistics) -> None:
        """See ``SessionObserver``."""
        self._note.fields |= {"state": "ended", "reason": reason[:MAX_REASON]}
        self._note.has_ended = True
        self._notebook.put(self._note)
