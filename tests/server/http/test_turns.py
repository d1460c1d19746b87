from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from glottis.media.ring import SLOT
from glottis.media.scheduler import Scheduler
from glottis.server.http.message import Response, text_response
from glottis.server.http.turns import BUDGET, Turns


class Work:
    """A clock of work that is done, and what stood where when each step was made."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = Turns(clock=lambda: self.now)
        self.loop_turns = 0
        self.steps: list[tuple[str, int]] = []

    async def step(self, name: str, seconds: float) -> None:
        async with self.turns:
            self.now += seconds
            self.steps.append((name, self.loop_turns))

    async def count_loop_turns(self) -> None:
        """As the wheel would, which is due in each of them."""
        while True:
            self.loop_turns += 1
            await trio.lowlevel.checkpoint()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.steps]

    @property
    def in_one_turn(self) -> int:
        """How many steps the loop turn with the most of them had."""
        turns = [turn for _, turn in self.steps]
        return max(map(turns.count, turns))


@pytest.fixture
def work(nursery: trio.Nursery) -> Work:
    work = Work()
    nursery.start_soon(work.count_loop_turns)
    return work


async def test_the_line_says_how_long_the_last_step_has_stood_in_it(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    turns, delays = Turns(), list[float]()

    async def step() -> None:
        async with turns:
            turns.use_up()
            mock_clock.jump(3)
            delays.append(turns.delay)

    for _ in range(4):
        nursery.start_soon(step)
    await trio.testing.wait_all_tasks_blocked()
    assert delays == [0, 0, 3, 6]  # the first was over when the others came
    assert turns.delay == 0


async def test_steps_within_the_budget_wait_for_nobody(work: Work) -> None:
    for number in range(10):
        await work.step(str(number), BUDGET / 20)
    assert work.in_one_turn == 10


async def test_the_loop_comes_round_when_the_budget_is_spent(work: Work) -> None:
    for number in range(10):
        await work.step(str(number), BUDGET)
    assert work.in_one_turn == 1


async def test_what_is_said_to_take_long_uses_the_turn_up(work: Work) -> None:
    for number in range(4):
        async with work.turns:
            work.turns.use_up()
        await work.step(str(number), 0)
    assert work.in_one_turn == 1


@pytest.mark.parametrize("seconds", [BUDGET / 4, BUDGET / 2, 5 * BUDGET])
async def test_a_crowd_is_served_in_order_and_within_the_budget_of_each_turn(
    seconds: float, work: Work, nursery: trio.Nursery
) -> None:
    came = []

    async def come(name: str) -> None:
        came.append(name)
        await work.step(name, seconds)

    async with trio.open_nursery() as crowd:
        for number in range(200):
            crowd.start_soon(come, str(number))
    assert work.names == came
    assert work.in_one_turn <= max(1, BUDGET / seconds)
    assert work.turns.waiting == 0


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
async def test_who_is_cancelled_holds_nobody_up(gone: int, work: Work) -> None:
    """The one that makes the first step, the one that is called next, and two in line behind."""
    scopes = [trio.CancelScope() for _ in range(4)]

    async def come(number: int) -> None:
        with scopes[number]:
            await work.step(str(number), BUDGET)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as crowd:
        for number in range(4):
            crowd.start_soon(come, number)
        await trio.lowlevel.checkpoint()
        scopes[gone].cancel()
    await work.step("later", BUDGET)
    assert {str(number) for number in range(4) if number != gone} <= set(work.names)
    assert work.names[-1] == "later"
    assert work.turns.waiting == 0


async def test_a_step_that_fails_lets_the_next_one_come(work: Work) -> None:
    async def fail() -> None:
        with suppress(ZeroDivisionError):
            async with work.turns:
                work.now += BUDGET
                raise ZeroDivisionError

    async with trio.open_nursery() as crowd:
        for number in range(10):
            crowd.start_soon(fail)
            crowd.start_soon(work.step, str(number), BUDGET)
    assert len(work.steps) == 10
    assert work.turns.waiting == 0


@pytest.mark.slow
async def test_requests_that_become_complete_at_once_are_served_in_as_many_turns(
    work: Work, site: Any, connect: Callable[..., Any]
) -> None:
    """Each look at the clock says that a step has taken the whole budget."""

    def tick() -> float:
        work.now += BUDGET
        return work.now

    async def answer(request: Any) -> Response:
        work.steps.append((request.path, work.loop_turns))
        return text_response(200, "")

    site.answer = answer
    server = site.server(turns=Turns(clock=tick))
    clients = [connect(server) for _ in range(200)]
    for number, client in enumerate(clients):
        await client.send(f"GET /{number} HTTP/1.1\r\nHost: a\r\n")
    for client in clients:
        await client.send("\r\n")
    for client in clients:
        assert (await client.reply()).status == 200
    assert len(work.steps) == 200
    assert work.in_one_turn == 1


class Resting:
    """A session that keeps the wheel awake, and is not due."""

    def media_tick(self, now: float) -> None:
        raise NotImplementedError

    send_tick = handle_timeout = media_tick


class Sockets:
    """Read in each turn of the wheel: here they note when that was."""

    def __init__(self) -> None:
        self.drained: list[float] = []

    def begin_turns(self) -> None:
        """Nothing to do."""

    def drain(self, slots: int) -> None:
        self.drained.append(trio.current_time())

    hold = flush = end_turns = begin_turns


async def test_the_wheel_turns_between_any_two_steps(mock_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    sockets = Sockets()
    scheduler, turns = Scheduler(sockets), Turns(clock=trio.current_time)
    scheduler.call_at(Resting(), 3600.0)
    nursery.start_soon(scheduler.run)
    await trio.testing.wait_all_tasks_blocked()
    ended_at = []

    async def step() -> None:
        async with turns:
            mock_clock.jump(2.2 * SLOT)
            ended_at.append(trio.current_time())

    async with trio.open_nursery() as crowd:
        for _ in range(100):
            crowd.start_soon(step)
    await trio.testing.wait_all_tasks_blocked()
    assert len(set(ended_at)) == 100
    assert set(ended_at) <= set(sockets.drained)
