"""What stops at the barrier, and what passes."""

from collections.abc import Callable

import pytest
import trio
from glottis.barrier import stop
from support.errors import ERRORS, Panic, nested


@pytest.fixture
def stopped() -> list[BaseException]:
    return []


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
async def test_whatever_is_raised_stops(make: Callable[[], BaseException], stopped: list[BaseException]) -> None:
    error = make()
    stop(error, stopped.append)
    assert stopped == [error]


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_and_so_it_does_without_trio(make: Callable[[], BaseException], stopped: list[BaseException]) -> None:
    error = make()
    stop(error, stopped.append)
    assert stopped == [error]


async def test_the_cancellation_of_the_task_passes(stopped: list[BaseException]) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep_forever()
        except BaseException as error:
            stop(error, stopped.append)
    assert scope.cancelled_caught
    assert not stopped


async def test_of_a_group_the_cancellation_passes_and_the_rest_stops(stopped: list[BaseException]) -> None:
    async def fail_in_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Panic

    with trio.CancelScope() as scope:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(fail_in_the_end)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        except BaseException as error:
            stop(error, stopped.append)
    assert scope.cancelled_caught
    [group] = stopped
    assert isinstance(group, BaseExceptionGroup)
    assert [type(error) for error in group.exceptions] == [Panic]


def test_the_operators_interrupt_passes(stopped: list[BaseException]) -> None:
    interrupt = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as passed:
        stop(interrupt, stopped.append)
    assert passed.value is interrupt
    assert not stopped


def test_of_a_group_exactly_the_interrupt_passes(stopped: list[BaseException]) -> None:
    interrupt, exit_ = KeyboardInterrupt(), SystemExit()
    with pytest.raises(BaseExceptionGroup) as passed:
        stop(BaseExceptionGroup("two", [BaseExceptionGroup("one", [interrupt]), exit_]), stopped.append)
    assert passed.value.exceptions[0].exceptions == (interrupt,)
    [group] = stopped
    assert isinstance(group, BaseExceptionGroup)
    assert group.exceptions == (exit_,)


def test_an_interrupt_passes_even_if_the_rest_cannot_be_handled() -> None:
    def fail(error: BaseException) -> None:
        raise ValueError("a bug")

    with pytest.raises(BaseExceptionGroup) as passed:
        stop(BaseExceptionGroup("two", [KeyboardInterrupt(), SystemExit()]), fail)
    assert isinstance(passed.value.__context__, ValueError)


@pytest.mark.slow
def test_a_group_that_cannot_be_split_stops_whole(stopped: list[BaseException]) -> None:
    class Whole(BaseExceptionGroup[BaseException]):
        def derive(self, errors: object) -> "Whole":  # type: ignore[override]
            raise TypeError("indivisible")

    for group in (Whole("one", [SystemExit(), Panic()]), nested(5000)):
        stop(group, stopped.append)
    assert len(stopped) == 2
