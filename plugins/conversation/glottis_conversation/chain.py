"""Parts of one kind in line: where one fails or is too slow, the next takes over, also in the turns after this."""

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import trio
from glottis import GlottisError

T = TypeVar("T")
V = TypeVar("V")

_logger = logging.getLogger(__name__)


class NoneWorks(Exception):
    """All parts of a line have failed, or the last one has in the middle of what cannot be done again."""


class Enough(Exception):
    """Raised by who takes what a part gives: nothing more of it is wanted."""


class Patience:
    """How long a part may take for each thing that it gives; counted only from when it ``begins``."""

    def __init__(self, seconds: float, *, has_begun: bool = True) -> None:
        self._seconds = seconds
        self._has_begun = has_begun
        self._scope = trio.CancelScope()

    def begin(self) -> None:
        """From now on the part has all that it needs."""
        self._has_begun = True
        self._scope.deadline = self._deadline

    async def next(self, values: AsyncIterator[V]) -> V:
        """The next value. Raises ``TimeoutError`` where it does not come in time, and ``StopAsyncIteration``."""
        with trio.CancelScope(deadline=self._deadline) as self._scope:
            return await anext(values)
        raise TimeoutError(f"nothing came for {self._seconds:g} s")

    @property
    def _deadline(self) -> float:
        return trio.current_time() + self._seconds if self._has_begun else math.inf


class Chain(Generic[T]):
    """The parts of one call, by their names for the log."""

    def __init__(self, what: str, parts: Sequence[tuple[str, T]]) -> None:
        self._what = what
        self._parts = list(parts)

    @property
    def first(self) -> T | None:
        """The one that is asked first."""
        return self._parts[0][1] if self._parts else None

    def before(self, another: "Chain[T]") -> "Chain[T]":
        """The parts of both in one line."""
        return Chain(self._what, [*self._parts, *another._parts])

    def __bool__(self) -> bool:
        return bool(self._parts)

    async def run(
        self,
        begin: Callable[[T], AsyncIterator[V]],
        take: Callable[[V], Awaitable[None]],
        patience: Patience,
        *,
        can_repeat: bool,
    ) -> None:
        """Give all that the first part that works says to ``take``, which raises ``ValueError`` for what is wrong.

        It raises ``Enough`` to stop the part. A part that fails goes to the end of the line. The next one begins again,
        where it ``can_repeat`` what the other has given; else only where that was nothing. Raises ``NoneWorks``.
        """
        for name, part in list(self._parts):
            taken = _Counted(take)
            try:
                await all_of(begin(part), taken, patience)
            except Enough:
                return
            except Exception as error:
                self._failed(name, part, error)
                if taken.count and not can_repeat:
                    break
            else:
                return
        raise NoneWorks(self._what)

    def _failed(self, name: str, part: T, error: Exception) -> None:
        """The log names the part, and nothing of what was said: that is sure of errors of glottis's own kinds only."""
        reason = str(error) if isinstance(error, GlottisError) else type(error).__name__
        _logger.warning("the %s %s has failed: %s", self._what, name, reason)
        _logger.debug("how it has failed", exc_info=error)
        with suppress(ValueError):  # two turns may have met with the same failure
            self._parts.remove((name, part))
            self._parts.append((name, part))


class _Counted(Generic[V]):
    def __init__(self, take: Callable[[V], Awaitable[None]]) -> None:
        self._take = take
        self.count = 0

    async def __call__(self, value: V) -> None:
        await self._take(value)
        self.count += 1


async def all_of(values: AsyncIterator[V], take: Callable[[V], Awaitable[None]], patience: Patience) -> None:
    """A task of its own asks the part for them: so what that has open meanwhile, a nursery say, is of no other's task.

    What is raised is kept, for a nursery would put it into a group.
    """
    send, receive = trio.open_memory_channel[V](0)
    raised: list[Exception] = []

    async def give() -> None:
        try:
            async for value in values:
                await send.send(value)
        except Exception as error:
            raised.append(error)
        finally:
            send.close()
            if (close := getattr(values, "aclose", None)) is not None:
                await close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give)
        try:
            while True:
                await take(await patience.next(receive))
        except StopAsyncIteration:
            pass  # or it has failed
        except Exception as error:
            raised.insert(0, error)
        nursery.cancel_scope.cancel()
    if raised:
        raise raised[0]
