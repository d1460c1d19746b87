"""The bounded streams between a session and its agent."""

from collections.abc import AsyncIterator
from typing import Generic, NoReturn, TypeVar

import trio

from glottis.contracts.short_queue import ShortQueue

T = TypeVar("T")


class DroppingStream(AsyncIterator[T], Generic[T]):
    """A queue with one reader. When it is full the oldest item is dropped and counted: news beats history.

    ``push`` is a plain call, so that the media path needs no task of its own; waking the reader costs one reschedule.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self.is_read = False
        """Whether anyone has begun to iterate: who fills the stream may wait for that, a look at it is not enough."""
        self._items: ShortQueue[T] = ShortQueue()
        self._limit = limit
        self._reader: trio.lowlevel.Task | None = None

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item: T) -> None:
        """Append ``item`` and wake the reader."""
        if len(self._items) == self._limit:
            self._drop()
        self._items.append(item)
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def __aiter__(self) -> "DroppingStream[T]":
        self.is_read = True
        return self

    def __iter__(self) -> NoReturn:
        raise TypeError("what comes with time is read by 'async for'")

    async def __anext__(self) -> T:
        self.is_read = True
        if self._items:
            # The queue is bounded, so a busy reader comes to the waiting branch soon: no need to yield here.
            await trio.lowlevel.checkpoint_if_cancelled()
        while not self._items:
            await self._wait()
        return self._take()

    def _take(self) -> T:
        """The oldest item, which leaves the queue."""
        return self._items.popleft()

    def _wake(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def _drop(self) -> None:
        self._take()
        self.dropped += 1

    async def _wait(self) -> None:
        if self._reader is not None:
            raise trio.BusyResourceError("another task is reading this stream of the call: read it in one task")
        self._reader = trio.lowlevel.current_task()

        def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._reader = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)


class Wakeup:
    """Lets tasks wait for the next change of something they check in a loop."""

    __slots__ = ("_lot",)

    def __init__(self) -> None:
        self._lot: trio.lowlevel.ParkingLot | None = None
        """Of those who wait, if anybody may: a call has five of these, and four of them wait for nobody."""

    async def wait(self) -> None:
        """Wait for the next ``wake``."""
        if self._lot is None:
            self._lot = trio.lowlevel.ParkingLot()
        await self._lot.park()

    def wake(self) -> None:
        """Wake everyone who waits."""
        if self._lot is not None:
            lot, self._lot = self._lot, None
            lot.unpark_all()


class SmallEvent:
    """Happens once, like a ``trio.Event``, and takes a quarter of the memory while nobody waits for it."""

    __slots__ = ("_is_set", "_wakeup")

    def __init__(self) -> None:
        self._is_set = False
        self._wakeup = Wakeup()

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """It happens now, if it has not before."""
        self._is_set = True
        self._wakeup.wake()

    async def wait(self) -> None:
        """Until it has happened."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
        while not self._is_set:
            await self._wakeup.wait()
