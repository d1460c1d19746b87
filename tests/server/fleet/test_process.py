"""A worker's process as its parent sees it: one that has gone mad is ended."""

import sys
from collections.abc import AsyncIterator, Sequence

import pytest
import trio
from glottis.server.fleet import messages
from glottis.server.fleet.channel import MAX_WAITING, Channel, open_channel_pair
from glottis.server.fleet.messages import LONGEST, PROTOCOL, FromWorker, encode
from glottis.server.fleet.process import WorkerProcess

from .test_messages import WANTS

SILENT = [sys.executable, "-c", "import signal; signal.pause()"]


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[FromWorker] = []
        self.has_ended = trio.Event()

    def take(self, worker: WorkerProcess, message: FromWorker, descriptors: Sequence[int]) -> None:
        self.told.append(message)

    def ended(self, worker: WorkerProcess) -> None:
        self.has_ended.set()


class Started:
    """A process that does nothing, whose words are a test's."""

    def __init__(self, worker: WorkerProcess, theirs: "Channel", owner: Owner) -> None:
        self.worker = worker
        self.theirs = theirs
        self.owner = owner


@pytest.fixture
async def started(nursery: trio.Nursery) -> AsyncIterator[Started]:
    ours, theirs = open_channel_pair()
    process = await trio.lowlevel.open_process(SILENT)
    worker, owner = WorkerProcess(7, process, Channel(ours)), Owner()
    nursery.start_soon(worker.run, owner)
    with theirs:
        yield Started(worker, Channel(theirs), owner)
        worker.kill()
        await owner.has_ended.wait()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xc1", "told what makes no sense: expected a message of a worker"),
        (encode(messages.Stop(1.0, True)), "told what makes no sense: expected a message of a worker"),
        (encode(messages.Beat("", b"[")), "told what makes no sense: expected the counts of a worker"),
        (
            encode(messages.Hello(PROTOCOL + 1, "9.0", WANTS)),
            "is of glottis 9.0, which this parent does not understand",
        ),
        (b"x" * (LONGEST + 1), "told what makes no sense: expected a message of at most"),
    ],
    ids=["nonsense", "not its word", "counts", "a later glottis", "too long"],
)
async def test_who_says_what_cannot_be_understood_is_ended(started: Started, body: bytes, reason: str) -> None:
    started.theirs.send(body)
    with trio.fail_after(30):
        await started.owner.has_ended.wait()
    assert started.worker.reason.startswith(reason)
    assert started.worker.exit_code == -9
    assert started.owner.told == []


async def test_who_does_not_read_is_ended_before_it_costs_more_than_a_bound(started: Started) -> None:
    for _ in range(4 * MAX_WAITING):
        if not started.worker.say(messages.State("FULL")):
            break
    assert not started.worker.has_room
    with trio.fail_after(30):
        await started.owner.has_ended.wait()
    assert started.worker.reason == "has not read for too long what it is told"


async def test_who_has_closed_its_end_is_left_to_leave_by_itself(started: Started) -> None:
    started.theirs.close()
    await trio.testing.wait_all_tasks_blocked()
    assert not started.worker.say(messages.State("DRAINING"))
    assert started.worker.reason == ""


async def test_who_gives_no_sign_of_life_is_ended_unless_it_waits_for_a_place(started: Started) -> None:
    worker = started.worker
    started.theirs.send(encode(messages.Hello(PROTOCOL, "1", WANTS)))
    while worker.wants is None:
        await trio.lowlevel.checkpoint()
    for _ in range(1000):
        worker.look()
    assert worker.reason == ""
    worker.is_welcome = True
    started.theirs.send(encode(messages.Ready("UDP 127.0.0.1:5000")))
    while not worker.is_ready:
        await trio.lowlevel.checkpoint()
    for _ in range(20):
        worker.look()
    assert worker.reason == ""
    worker.look()
    assert worker.reason == "has given no sign of life for 10 s"
