"""Callers that come and go: a process that opens sessions and calls, and ends them at once.

Run by ``python -m benchmarks``, to which it says on standard output when each phase is over: ``warm``, ``idle`` after
a time without anybody, ``sessions`` after sessions in which nothing was offered, ``calls`` after calls that were ended
when they were connected, and ``answered`` while sessions are there that nothing but their answer has come of.
"""

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import trio

from benchmarks.callers import Callers, failing_in_words
from benchmarks.load import PAUSE
from benchmarks.recording import Recording


async def run(callers: Callers, count: int, rate: float, answered: int) -> None:
    """All phases: ``count`` of each at ``rate`` per second, and in the last one ``answered`` at the same time."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(callers.scheduler.run)
        await _call(callers)
        await _over("warm")
        await trio.sleep(count / rate)
        await _over("idle")
        await _at_rate(partial(_meet, callers), count, rate)
        await _over("sessions")
        await _at_rate(partial(_call, callers), count, rate)
        await _over("calls")
        async with AsyncExitStack() as stack:
            for _ in range(answered):
                await stack.enter_async_context(callers.unconnected_call())
            await _over("answered")
        nursery.cancel_scope.cancel()


async def _meet(callers: Callers) -> None:
    async with callers.session():
        pass


async def _call(callers: Callers) -> None:
    recording = Recording()
    async with callers.call(recording):
        with trio.fail_after(10):
            await recording.connected.wait()


async def _at_rate(action: Callable[[], Awaitable[None]], count: int, rate: float) -> None:
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(count):
            await trio.sleep_until(start + number / rate)
            nursery.start_soon(action)


async def _over(phase: str) -> None:
    await trio.sleep(PAUSE)
    print(phase, flush=True)
    await trio.sleep(PAUSE)


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--answered", type=int, required=True)
    options = parser.parse_args()
    with failing_in_words():
        await run(Callers("glottis", options.port), options.count, options.rate, options.answered)


if __name__ == "__main__":
    trio.run(_main)
