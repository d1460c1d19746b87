"""Answers workers: who gets a connection, whether there may be another session, and what all of them tell."""

import logging
from collections.abc import Sequence
from typing import Final

import trio

from glottis.calls.streams import Wakeup
from glottis.server.fleet.archive import Archive, Past
from glottis.server.fleet.limits import WholeLimits
from glottis.server.fleet.messages import (
    MOST_TRIED,
    Adopt,
    Ask,
    Claim,
    Connected,
    Done,
    FromWorker,
    Granted,
    HandOver,
    Hello,
    Leave,
    Leaves,
    Part,
    Queue,
    Queued,
    Rate,
    Ready,
    Recall,
    Recalled,
    Release,
    State,
    Tell,
    Told,
    Wait,
    Wants,
)
from glottis.server.fleet.process import WorkerProcess
from glottis.server.http.entry import Entry
from glottis.server.runtime.counts import GatewayCounts

ROUND: Final = 1.0
"""Seconds in which all workers tell what they were asked."""
STRAINED: Final = 0.5
"""The share of its time that media may take before a worker is given less than others."""
MAX_ROUNDS: Final = 64
"""That go on at a time; further questions have no answer."""

logger = logging.getLogger(__name__)


class _Round:
    """A question to all workers."""

    def __init__(self, asker: WorkerProcess, question: int, missing: set[int]) -> None:
        self.asker = asker
        self.question = question
        self.missing = missing
        self.deadline = trio.current_time() + ROUND


class Desk:
    """See ``process.Owner``. ``changed`` is woken whenever something is known of a worker that was not."""

    def __init__(self, changed: Wakeup) -> None:
        self.is_stopping = False
        self.lost = 0
        """Workers that have ended by themselves, or had to be ended, with calls or without."""
        self.calls_lost = 0
        """Calls that have ended with them."""
        self.has_failed = False
        """Whether a worker that was to end in good order has not."""
        self._dropped = 0
        """Connections."""
        self._changed = changed
        self._workers: dict[int, WorkerProcess] = {}
        self._limits: WholeLimits | None = None
        self._past: list[GatewayCounts] = []
        """What those have counted that have ended, together."""
        self._rounds: dict[int, _Round] = {}
        self._archive = Archive()
        self._asked = 0

    @property
    def workers(self) -> Sequence[WorkerProcess]:
        """All that there are."""
        return list(self._workers.values())

    @property
    def sessions(self) -> int:
        """How many there are in all."""
        return len(self._limits) if self._limits is not None else 0

    def counts(self) -> GatewayCounts:
        """Of all workers that there are and were."""
        living = [worker.counts for worker in self.workers if worker.media]
        own = GatewayCounts(connections_dropped=self._dropped)
        return GatewayCounts.of_all([*self._past, *living, own]).at_present(GatewayCounts.of_all(living))

    def limits_of(self, wants: Wants) -> None:
        """From now on these bounds hold."""
        if self._limits is None:
            self._limits = WholeLimits(wants)
        else:
            self._limits.set_bounds(wants)

    def add(self, worker: WorkerProcess) -> None:
        """It was started."""
        self._workers[worker.number] = worker

    def look(self) -> None:
        """Now and then: end who stands still, and tell all how all are."""
        for worker in self.workers:
            worker.look()
        now = trio.current_time()
        for question in [number for number, one in self._rounds.items() if one.deadline < now]:
            self._end_round(question)
        self.tell_state()

    def take(self, worker: WorkerProcess, message: FromWorker, descriptors: Sequence[int]) -> None:
        """See ``process.Owner``."""
        match message:
            case HandOver() if descriptors:
                self._pass_on(worker, message, descriptors[0])
            case Ask(question, what):
                self._begin_round(worker, question, what)
            case Told(question, figures):
                self._take_part(worker, question, figures)
            case Leaves(session_id, principal, page, seconds):
                self._archive.keep(session_id, Past(principal, page, trio.current_time() + seconds))
            case Recall(question, session_id):
                past = self._archive.find(session_id, trio.current_time()) or Past("", b"", 0.0)
                worker.say(Recalled(question, past.principal, past.page))
            case Claim() | Connected() | Release() | Rate() | Queue() | Leave():
                self._count(worker, message)
            case _:
                if isinstance(message, Hello):
                    logger.debug("%s is loaded", worker)
                elif isinstance(message, Ready):
                    logger.info("%s serves, media on %s", worker, worker.media)
                self.tell_state()
                self._changed.wake()

    def ended(self, worker: WorkerProcess) -> None:
        """See ``process.Owner``."""
        del self._workers[worker.number]
        if worker.media:
            self._past = [GatewayCounts.of_all([*self._past, worker.counts])]
        lost = self._limits.forget(worker.number) if self._limits is not None else 0
        if worker.exit_code != 0 or not worker.is_leaving:
            self._note_loss(worker, lost)
        else:
            logger.info("%s has left", worker)
        self.tell_state()
        self._changed.wake()

    def _note_loss(self, worker: WorkerProcess, calls: int) -> None:
        if worker.media:
            self.lost += 1
            self.calls_lost += calls
            self.has_failed |= worker.is_leaving
            logger.error("%s %s; calls that have ended with it: %d", worker, worker.reason, calls)
        elif not worker.is_leaving:
            logger.error("%s %s before it took calls", worker, worker.reason)

    # Connections

    def _pass_on(self, worker: WorkerProcess, handed: HandOver, descriptor: int) -> None:
        """To who has the session, or has least to do; back where there is nobody, who then has the answer to that."""
        if handed.worker:
            target, entry = self._workers.get(handed.worker), None
        else:
            target, entry = self._place(worker, handed)
        if target is None or not target.media:
            target = worker
        if not target.has_room:
            self._dropped += 1
            return
        if entry is not None:
            target.note_asked(trio.current_time(), may_try=entry.may_try and not entry.seconds)
        target.say(Adopt(handed.received, entry, handed.peer_host), [descriptor])

    def _place(self, worker: WorkerProcess, handed: HandOver) -> tuple[WorkerProcess | None, Entry]:
        """Who is to create a session, if any can, and what is to be known of the request for it."""
        now = trio.current_time()
        seconds, may_try = 0.0, True
        if handed.tried:  # and so it was counted
            worker.note_claimed()
        elif self._limits is not None:
            seconds, may_try = self._limits.enter(handed.client, handed.ticket, self._room(now), now)
        ready = [one for one in self._workers.values() if one.takes_sessions and one.number not in handed.tried]
        target = min(ready, key=lambda one: self._load_of(one, now), default=None)
        others = any(one is not target and _is_willing(one) for one in ready)
        return target, Entry(seconds, may_try, others and len(handed.tried) < MOST_TRIED, handed.tried)

    def _load_of(self, worker: WorkerProcess, now: float) -> tuple[bool, int, int]:
        """Its sessions decide, unless media takes half of its time and less of another's: calls are not all alike."""
        sessions = self._limits.sessions_of(worker.number) if self._limits is not None else 0
        strain = int(worker.counts.media_load / STRAINED)
        return not _is_willing(worker), strain, sessions + worker.asked(now)

    def _room(self, now: float) -> int:
        """For how many sessions nothing but their number says that there is none."""
        if self._unavailable() or self._limits is None:
            return 0
        return max(0, self._limits.room - sum(worker.coming(now) for worker in self.workers))

    # Bounds

    def _count(self, worker: WorkerProcess, message: Claim | Connected | Release | Rate | Queue | Leave) -> None:
        if self._limits is None:
            return
        match message:
            case Claim():
                worker.note_claimed()
                answer = self._limits.claim(worker.number, message)
                worker.say(answer)
                if isinstance(answer, Granted):
                    self.tell_state()
            case Connected(session_id):
                self._limits.connected(worker.number, session_id)
            case Release(session_id):
                self._limits.release(worker.number, session_id)
                self.tell_state()
            case Rate(question, what, client):
                worker.say(Wait(question, self._limits.seconds_to_wait(what, client, trio.current_time())))
            case Queue(question, ticket, client):
                waiting = self._limits.wait(ticket, client, trio.current_time())
                worker.say(Queued(question, *(waiting or ("", 0))))
            case Leave(ticket):
                self._limits.leave(ticket)

    def tell_state(self) -> None:
        """To all workers, if it has changed; and to those that are new."""
        state = self._unavailable()
        for worker in self.workers:
            if worker.media and worker.told_state != state:
                worker.told_state = state
                worker.say(State(state))

    def _unavailable(self) -> str:
        """Why no worker takes a session; empty if one does."""
        if self.is_stopping:
            return "DRAINING"
        if self._limits is not None and self._limits.is_full:
            return "FULL"
        states = [worker.unavailable for worker in self._workers.values() if worker.takes_sessions]
        return "" if "" in states else next(iter(states), "STARTING")

    # What all tell

    def _begin_round(self, asker: WorkerProcess, question: int, what: str) -> None:
        asked = [worker for worker in self.workers if worker.media]
        if len(self._rounds) >= MAX_ROUNDS:
            asker.say(Done(question))
            return
        self._asked += 1
        self._rounds[self._asked] = _Round(asker, question, {worker.number for worker in asked})
        for worker in asked:
            worker.say(Tell(self._asked, what))

    def _take_part(self, worker: WorkerProcess, question: int, figures: bytes) -> None:
        if (current := self._rounds.get(question)) is None or worker.number not in current.missing:
            return
        current.asker.say(Part(current.question, worker.number, figures))
        current.missing.discard(worker.number)
        if not current.missing:
            self._end_round(question)

    def _end_round(self, question: int) -> None:
        ended = self._rounds.pop(question)
        ended.asker.say(Done(ended.question))


def _is_willing(worker: WorkerProcess) -> bool:
    """Whether nothing is known that would keep it from another session."""
    return not worker.unavailable and not worker.is_silent and worker.has_room
