"""When garbage is collected, and what is left when it is not Python that decides."""

import gc
import weakref
from collections.abc import Iterator

import pytest
import trio
import trio.testing
from glottis.media.scheduler import Scheduler
from glottis.server.runtime.collector import (
    FEW_CALLS,
    IDLE,
    LARGEST,
    MAX_GROWTH,
    PATIENCE,
    PERIOD,
    QUICK,
    SOMETIMES,
    WORTHWHILE,
    Collector,
    collecting,
)


class Process:
    """A garbage collector that notes what it is asked for, and the process around it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = 0.0
        self.young = 0
        self.old_freed = 0
        self.calls = 0
        self.blocks = 300_000
        self.full_takes = 0.001
        self.collector = Collector(
            lambda: self.calls,
            self,
            blocks=lambda: self.blocks,
            clock=lambda: self.now,
            settled=lambda: self.asked.append("settled"),
        )
        self.collector.start()
        self.started = self.told()

    def told(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked

    def work(self, young: int) -> list[str]:
        """Make objects, and then have a free moment."""
        self.young += young
        self.collector.use_free_moment()
        return self.told()

    def rest(self, seconds: float) -> list[str]:
        for _ in range(round(seconds / PERIOD)):
            self.now += PERIOD
            self.collector.look()
        return self.told()

    # The garbage collector

    def collect(self, generation: int = 2) -> int:
        self.asked.append(f"collect {generation}")
        self.young = 0
        if generation == 2:
            self.now += self.full_takes
        return 0

    def freeze(self) -> None:
        self.asked.append("freeze")
        self.young = 0

    def unfreeze(self) -> None:
        self.asked.append("unfreeze")

    def enable(self) -> None:
        self.asked.append("enable")

    def disable(self) -> None:
        self.asked.append("disable")

    def get_count(self) -> tuple[int, int, int]:
        return self.young - self.old_freed, 0, 0

    def get_objects(self, generation: int | None = None) -> list[None]:
        assert generation == 0
        return [None] * self.young


@pytest.fixture
def process() -> Process:
    """One whose start is over."""
    process = Process()
    process.rest(2 * IDLE)
    return process


def test_what_is_there_at_the_start_is_looked_at_once_and_keeps_nobody_waiting() -> None:
    process = Process()
    assert process.started == ["freeze", "disable"]
    process.calls = 1
    assert process.rest(3600) == []
    process.calls = 0
    assert process.rest(2 * IDLE) == ["unfreeze", "collect 2", "freeze", "settled"]
    assert process.rest(3600) == []
    process.collector.stop()
    assert process.told() == ["unfreeze", "enable"]


def test_new_objects_are_looked_at_in_small_steps_and_what_stays_a_second_time(process: Process) -> None:
    assert process.work(WORTHWHILE - 1) == []
    assert process.work(1) == ["collect 0"]
    steps = [process.work(WORTHWHILE) for _ in range(11)]
    assert steps.count(["collect 1"]) == 2
    assert steps.count(["collect 0"]) == 9


def test_no_step_is_larger_than_the_largest_whatever_a_turn_has_made(process: Process) -> None:
    process.calls = 1000
    assert process.work(LARGEST + 1) == ["freeze"]
    assert process.work(200_000) == ["freeze"]
    assert process.rest(3600) == []


def test_new_objects_are_found_though_as_many_old_ones_are_freed(process: Process) -> None:
    process.old_freed = 10 * WORTHWHILE
    process.young = WORTHWHILE
    assert [step for _ in range(PATIENCE) for step in process.work(0)] == ["collect 0"]


def test_what_was_set_aside_is_looked_at_when_no_call_is_there(process: Process) -> None:
    process.calls = 1
    process.work(LARGEST + 1)
    assert process.rest(2 * SOMETIMES) == ["collect 2"]
    process.calls = 0
    assert process.rest(2 * IDLE) == ["unfreeze", "collect 2", "freeze"]
    assert process.rest(3600) == []


def test_a_gateway_without_calls_collects_once_if_there_was_anything_to_collect(process: Process) -> None:
    assert process.rest(3600) == []
    process.young = WORTHWHILE
    assert process.rest(IDLE + 2 * PERIOD) == ["collect 0", "collect 2"]
    assert process.rest(3600) == []


def test_while_calls_are_few_everything_is_looked_at_now_and_then(process: Process) -> None:
    process.calls = FEW_CALLS
    process.work(WORTHWHILE)
    assert process.rest(2 * SOMETIMES) == ["collect 2"]
    process.calls = FEW_CALLS + 1
    process.work(WORTHWHILE)
    assert process.rest(2 * SOMETIMES) == []


def test_few_calls_with_much_memory_are_not_held_up_twice(process: Process) -> None:
    process.calls = 1
    process.full_takes = QUICK
    process.work(WORTHWHILE)
    assert process.rest(2 * SOMETIMES) == ["collect 2"]
    process.work(WORTHWHILE)
    assert process.rest(10 * SOMETIMES) == []
    process.calls = 0
    assert process.rest(2 * IDLE) == ["collect 2"]


def test_memory_does_not_grow_without_end(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.calls = 1000
    process.work(LARGEST + 1)
    process.blocks += MAX_GROWTH + 1
    assert process.rest(10) == ["unfreeze", "collect 2", "freeze"]
    assert "searched for garbage in 1 ms" in caplog.text


def test_without_a_free_moment_steps_are_taken_all_the_same(process: Process) -> None:
    process.calls = 1000
    process.young = WORTHWHILE
    assert process.rest(PERIOD) == ["collect 0"]
    process.collector.use_free_moment()
    process.young = WORTHWHILE
    assert process.rest(PERIOD) == []


class Circle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def collector_as_it_was() -> Iterator[None]:
    yield
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


@pytest.mark.slow
@pytest.mark.usefixtures("collector_as_it_was")
async def test_circles_are_freed_in_the_end(autojump_clock: trio.testing.MockClock) -> None:
    async with collecting(Scheduler(), lambda: 0):
        assert not gc.isenabled()
        circles = [weakref.ref(Circle()) for _ in range(LARGEST + 1)]
        await trio.sleep(IDLE + 2 * PERIOD)
        assert not any(circle() for circle in circles)
