"""``call.nursery`` is used as trio's own, and keeps what its tasks raise from trio."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from glottis.calls.nursery import CallNursery
from support.patience import PATIENCE


class Owner:
    """Of a nursery; has what its tasks raised."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.inner = nursery
        self.failures: list[BaseException] = []
        self.nursery = CallNursery(nursery, self.failures.append)


@pytest.fixture
async def owner() -> AsyncIterator[Owner]:
    async with trio.open_nursery() as nursery:
        yield Owner(nursery)


async def fail() -> None:
    raise ValueError("broken")


async def test_a_task_that_fails_ends_the_others_and_is_told_of() -> None:
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            owner = Owner(nursery)
            owner.nursery.start_soon(trio.sleep_forever)
            owner.nursery.start_soon(fail)
    assert [str(error) for error in owner.failures] == ["broken"]


async def test_tasks_have_the_names_of_their_functions_and_stand_in_the_nursery(owner: Owner) -> None:
    owner.nursery.start_soon(trio.sleep, 0)
    owner.nursery.start_soon(trio.sleep, 0, name="nap")
    assert owner.nursery.child_tasks == owner.inner.child_tasks
    assert {task.name for task in owner.nursery.child_tasks} == {"trio.sleep", "nap"}
    assert owner.nursery.parent_task is owner.inner.parent_task
    assert owner.nursery.cancel_scope is owner.inner.cancel_scope


async def test_what_is_no_async_function_is_refused_where_it_is_given(owner: Owner) -> None:
    with pytest.raises(TypeError, match="this one has returned list"):
        owner.nursery.start_soon(list)  # type: ignore[arg-type]
    assert not owner.nursery.child_tasks


async def test_a_task_that_has_started_gives_its_value_and_goes_on() -> None:
    async def serve(port: int, *, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(port + 1)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        owner = Owner(nursery)
        assert await owner.nursery.start(serve, 8000) == 8001
        assert len(owner.nursery.child_tasks) == 1
        owner.nursery.cancel_scope.cancel()


async def test_who_fails_before_it_has_started_tells_whoever_waits_for_it(owner: Owner) -> None:
    async def serve(*, task_status: trio.TaskStatus[Any]) -> None:
        await fail()

    with pytest.raises(ValueError, match="broken"):
        await owner.nursery.start(serve)
    assert not owner.failures
    assert not owner.nursery.cancel_scope.cancel_called


async def test_who_ends_without_having_started_is_told_of_as_in_trio(owner: Owner) -> None:
    async def serve(*, task_status: trio.TaskStatus[Any]) -> None:
        """Forgets it."""

    with pytest.raises(RuntimeError, match="without calling"):
        await owner.nursery.start(serve)
