"""The nursery of a call: what a task of the agent raises stops in the task, and never reaches trio's own scopes.

trio puts an error into words when it cancels a scope for it, and splits groups by recursion. An error that is made to
break this breaks the scopes, and with them whatever is around.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import trio

from glottis.barrier import stop


class CallNursery:
    """Has the public interface of a ``trio.Nursery``, and can be used wherever one can.

    A task that fails ends all of them; ``failed`` gets its error.
    """

    def __init__(self, nursery: trio.Nursery, failed: Callable[[BaseException], object]) -> None:
        self._nursery = nursery
        self._failed = failed

    @property
    def cancel_scope(self) -> trio.CancelScope:
        """See ``trio.Nursery.cancel_scope``."""
        return self._nursery.cancel_scope

    @property
    def child_tasks(self) -> frozenset[trio.lowlevel.Task]:
        """See ``trio.Nursery.child_tasks``."""
        return self._nursery.child_tasks

    @property
    def parent_task(self) -> trio.lowlevel.Task:
        """See ``trio.Nursery.parent_task``."""
        return self._nursery.parent_task

    def start_soon(self, async_fn: Callable[..., Awaitable[object]], *args: Any, name: object = None) -> None:
        """See ``trio.Nursery.start_soon``."""
        self._nursery.start_soon(partial(self._begin, async_fn, *args), name=async_fn if name is None else name)

    async def start(self, async_fn: Callable[..., Awaitable[object]], *args: Any, name: object = None) -> Any:
        """See ``trio.Nursery.start``: what is raised before the task has started is raised here."""
        early = _Early()
        begin = partial(self._begin_starting, early, async_fn, *args)
        try:
            return await self._nursery.start(begin, name=async_fn if name is None else name)
        except RuntimeError:  # it has ended without having started
            early.raise_error()
            raise

    async def run(self, work: Awaitable[object]) -> None:
        """In this task, as if it were one of the nursery's."""
        try:
            await work
        except BaseException as error:
            stop(error, self._fail)

    def _fail(self, error: BaseException) -> None:
        self.cancel_scope.cancel()
        self._failed(error)

    def _begin(self, async_fn: Callable[..., Awaitable[object]], *args: Any) -> Coroutine[Any, Any, None]:
        """Called by trio in ``start_soon``, where what is no async function is to be refused."""
        return self.run(_work(async_fn, *args))

    def _begin_starting(
        self,
        early: "_Early",
        async_fn: Callable[..., Awaitable[object]],
        *args: Any,
        task_status: trio.TaskStatus[Any],
    ) -> Coroutine[Any, Any, None]:
        early.status = task_status
        return self.run(early.keep(_work(async_fn, *args, task_status=early)))


class _Early:
    """A task's status, and what the task has raised before it has started."""

    status: trio.TaskStatus[Any]

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._has_started = False

    def started(self, value: object = None) -> None:
        """See ``trio.TaskStatus``."""
        self.status.started(value)
        self._has_started = True

    async def keep(self, work: Awaitable[object]) -> None:
        """Raises only what comes later."""
        try:
            await work
        except BaseException as error:
            if self._has_started:
                raise
            stop(error, self._set)

    def raise_error(self) -> None:
        """If there is one; it is let go, else it would be tied in a circle with its traceback."""
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error from None
            finally:
                del error

    def _set(self, error: BaseException) -> None:
        self._error = error


def _work(async_fn: Callable[..., Awaitable[object]], *args: Any, **keywords: Any) -> Awaitable[object]:
    work: object = async_fn(*args, **keywords)
    if not inspect.isawaitable(work):
        raise TypeError(f"a nursery takes async functions; this one has returned {type(work).__name__}")
    return work
