"""One error of each kind that a plugin may raise."""

import asyncio
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Final

import trio


class Panic(BaseException):
    """No ``Exception``, like those of native extensions."""


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise SystemExit("mute")


class Shapeless(Exception):
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise SystemExit("shapeless")


class Verbose(Exception):
    """Says ten million characters."""

    def __str__(self) -> str:
        return "talkative " * 1_000_000


def nested(depth: int) -> BaseException:
    """A group in a group in a group."""
    error: BaseException = SystemExit("deep down")
    for _ in range(depth):
        error = BaseExceptionGroup("nested", [error])
    return error


def kept_cancelled() -> BaseException:
    """As trio raises it, of another event loop: nobody else can make one."""
    kept: list[BaseException] = []

    async def keep() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                kept.append(cancelled.with_traceback(None))

    thread = Thread(target=trio.run, args=(keep,))
    thread.start()
    thread.join()
    return kept.pop()


ERRORS: Final[dict[str, Callable[[], BaseException]]] = {
    "ValueError": partial(ValueError, "broken"),
    "SystemExit": partial(SystemExit, "broken"),
    "panic": partial(Panic, "broken"),
    "group": partial(BaseExceptionGroup, "broken", [SystemExit(1), ValueError()]),
    "deep group": partial(nested, 3000),
    "RecursionError": partial(RecursionError, "broken"),
    "MemoryError": MemoryError,
    "StopIteration": partial(StopIteration, "broken"),
    "StopAsyncIteration": partial(StopAsyncIteration, "broken"),
    "GeneratorExit": partial(GeneratorExit, "broken"),
    "CancelledError": partial(asyncio.CancelledError, "broken"),
    "kept Cancelled": kept_cancelled,
    "mute": Mute,
    "shapeless": Shapeless,
    "verbose": Verbose,
}
"""What a plugin may raise, by name: makes a new one."""
