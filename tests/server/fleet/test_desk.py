"""Who gets a request for a session, and who waits: the parent decides it for all workers."""

import os
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from glottis.calls.streams import Wakeup
from glottis.server.fleet.archive import MAX_KEPT, MAX_KEPT_BYTES, Archive, Past
from glottis.server.fleet.channel import Channel, close_all, open_channel_pair
from glottis.server.fleet.desk import Desk
from glottis.server.fleet.messages import (
    Adopt,
    Claim,
    FromParent,
    HandOver,
    Leave,
    Leaves,
    Queue,
    Queued,
    Recall,
    Recalled,
    State,
    parse_from_parent,
)
from glottis.server.fleet.process import SILENT_LOOKS, WorkerProcess
from glottis.server.http.entry import Entry
from glottis.server.runtime.counts import GatewayCounts
from glottis.server.sessions.waiting_room import TRYING

from .test_parts import WANTS


class Worker:
    """A worker without a process, whose words are a test's."""

    def __init__(self, number: int) -> None:
        ours, theirs = open_channel_pair()
        self.ours, self.theirs = Channel(ours), Channel(theirs)
        process = SimpleNamespace(pid=number, returncode=None)
        self.process = WorkerProcess(number, cast(trio.Process, process), self.ours)
        self.process.media = "UDP 127.0.0.1:5000"
        self.process.unavailable = ""

    async def next_told(self) -> FromParent:
        """What it is told next, but for states."""
        while True:
            with trio.fail_after(5):
                received = await self.theirs.receive_untrusted()
            assert received is not None
            close_all(received[1])
            message = parse_from_parent(received[0])
            if not isinstance(message, State):
                return message

    async def entry(self) -> Entry:
        """Of the request that it is given next."""
        while not isinstance(message := await self.next_told(), Adopt):
            pass
        assert message.entry is not None
        return message.entry


class Parent:
    """A desk with three workers."""

    def __init__(self) -> None:
        self.desk = Desk(Wakeup())
        self.desk.limits_of(WANTS)
        self.workers = [Worker(number) for number in (1, 2, 3)]
        self.claimed = 0
        for worker in self.workers:
            self.desk.add(worker.process)

    def hand(self, by: int, client: str = "", ticket: str = "", tried: tuple[int, ...] = ()) -> None:
        """A worker hands over a connection of somebody new."""
        self.claimed += 1
        handed = HandOver(0, b"POST", client or f"192.0.2.{self.claimed}", ticket, tried)
        with open(os.devnull) as connection:
            self.desk.take(self.workers[by - 1].process, handed, [connection.fileno()])

    def claim(self, by: int) -> None:
        """A worker claims a session of somebody new."""
        self.claimed += 1
        who = f"{by}-{self.claimed}", "echo", None, f"192.0.2.{self.claimed}", "anybody", None
        self.desk.take(self.workers[by - 1].process, Claim(1, *who), [])

    async def chosen(self) -> int:
        """The number of the worker that is given a request."""
        found: list[int] = []

        async def wait_for(worker: Worker) -> None:
            while not isinstance(await worker.next_told(), Adopt):
                pass
            found.append(worker.process.number)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for worker in self.workers:
                nursery.start_soon(wait_for, worker)
        return found[0]


@pytest.fixture
async def parent() -> AsyncIterator[Parent]:
    yield (made := Parent())
    for worker in made.workers:
        worker.ours.close()
        worker.theirs.close()


async def test_a_session_goes_to_who_has_fewest_and_to_who_is_not_strained_before(parent: Parent) -> None:
    parent.claim(1)
    parent.claim(2)
    parent.hand(1)
    assert await parent.chosen() == 3
    parent.claim(3)
    parent.claim(3)
    parent.workers[0].process.counts = GatewayCounts(media_load=0.6)
    parent.hand(1)
    assert await parent.chosen() == 2


async def test_who_takes_none_is_given_none_as_long_as_another_does(parent: Parent) -> None:
    for worker, unavailable in zip(parent.workers, ("OVERLOADED", "OVERLOADED", ""), strict=True):
        worker.process.unavailable = unavailable
    for _ in range(3):
        parent.claim(3)
    parent.hand(1)
    entry = await parent.workers[2].entry()
    assert not entry.may_move
    assert entry.may_try


async def test_who_may_stand_still_is_given_none_as_long_as_another_can_have_them(parent: Parent) -> None:
    parent.claim(2)
    parent.claim(3)
    for _ in range(SILENT_LOOKS + 1):
        parent.workers[0].process.look()
    parent.hand(1)
    assert await parent.chosen() == 2
    for worker in parent.workers:
        for _ in range(SILENT_LOOKS + 1):
            worker.process.look()
    parent.hand(1)
    assert await parent.chosen() == 1


async def test_who_has_no_room_passes_a_request_on_and_the_last_one_answers(parent: Parent) -> None:
    parent.hand(1, client="192.0.2.1")
    assert await parent.workers[0].entry() == Entry(0, True, True, ())
    parent.hand(1, client="192.0.2.1", tried=(1,))
    assert await parent.workers[1].entry() == Entry(0, True, True, (1,))
    parent.workers[2].process.unavailable = "OVERLOADED"
    parent.hand(2, client="192.0.2.1", tried=(1, 2))
    assert await parent.workers[2].entry() == Entry(0, True, False, (1, 2))
    for _ in range(2):  # the next of this client is one too many: what was passed on has counted once
        parent.hand(1, client="192.0.2.1")
    entries = [await worker.entry() for worker in parent.workers[:2]]
    assert sorted(entry.seconds > 0 for entry in entries) == [False, True]


async def test_newcomers_overtake_nobody_who_waits_whoever_has_accepted_them(parent: Parent) -> None:
    for number in range(3):
        parent.claim(number + 1)
    parent.desk.take(parent.workers[0].process, Queue(7, "", "192.0.2.80"), [])
    while not isinstance(queued := await parent.workers[0].next_told(), Queued):
        pass
    assert (queued.question, queued.place) == (7, 1)
    for by in (2, 3):  # there is room for one, and it is another's
        parent.hand(by)
    assert [(await parent.workers[number].entry()).may_try for number in (0, 1)] == [False, False]
    parent.hand(3, client="192.0.2.80", ticket=queued.ticket)
    assert (await parent.workers[2].entry()).may_try
    parent.desk.take(parent.workers[2].process, Leave(queued.ticket), [])
    parent.hand(2)
    assert (await parent.workers[0].entry()).may_try


async def test_what_a_worker_leaves_is_told_for_as_long_as_it_would_have_kept_it(
    parent: Parent, autojump_clock: trio.testing.MockClock
) -> None:
    by = parent.workers[0]
    parent.desk.take(by.process, Leaves("3-a", "somebody", b"It has ended.", 60.0), [])
    for seconds, told in ((59.0, ("somebody", b"It has ended.")), (2.0, ("", b""))):
        await trio.sleep(seconds)
        parent.desk.take(by.process, Recall(1, "3-a"), [])
        assert await by.next_told() == Recalled(1, *told)


def test_what_is_left_has_a_bound_and_the_oldest_gives_way() -> None:
    archive = Archive()
    for number in range(MAX_KEPT + 2):
        archive.keep(f"{number}", Past("somebody", b"x", 60.0))
    assert len(archive) == MAX_KEPT
    assert archive.find("1", 0.0) is None
    assert archive.find("2", 0.0) is not None
    for number in range(3):
        archive.keep(f"long {number}", Past("somebody", bytes(MAX_KEPT_BYTES // 2), 60.0))
    assert len(archive) == 2


async def test_all_that_wait_have_a_place_in_one_queue(parent: Parent) -> None:
    for number in range(TRYING + 2):
        by = parent.workers[number % 3]
        parent.desk.take(by.process, Queue(number, "", f"192.0.2.{number}"), [])
        queued = await by.next_told()
        assert isinstance(queued, Queued)
        assert queued.place == number + 1
