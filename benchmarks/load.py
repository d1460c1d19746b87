"""The callers: a process that opens many calls at a steady rate, talks, and notes what comes back.

Run by ``python -m benchmarks``, to which it says on standard output, line by line: ``warm`` when one call has been made
and is over, ``steady`` when all calls are up, ``over`` at the end of the time to be measured, and then its results as
JSON.
"""

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from benchmarks.callers import Callers, failing_in_words
from benchmarks.recording import Recording
from benchmarks.signaling import SIGNALING
from benchmarks.speech import FRAMES_PER_SECOND

WARM_UP: Final = 0.3
"""Seconds of one call before all others."""
PAUSE: Final = 0.2
"""Seconds between two phases, for what was begun to end, and for the parent process to look."""
SETTLING: Final = 1.0
"""Seconds between the last call's first audio and the steady window."""
SETUP_TIMEOUT: Final = 15.0


async def run(callers: Callers, calls: int, rate: float, seconds: float) -> list[Recording]:
    """Open all calls, keep them up for ``seconds`` after the last one has settled, and hang up."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(callers.scheduler.run)
        async with _calls(callers, 1, rate):
            await trio.sleep(WARM_UP)
        await trio.sleep(PAUSE)
        print("warm", flush=True)
        await trio.sleep(PAUSE)
        async with _calls(callers, calls, rate) as recordings:
            await trio.sleep(SETTLING)
            await _measure(recordings, seconds)
        nursery.cancel_scope.cancel()
    return recordings


@asynccontextmanager
async def _calls(callers: Callers, calls: int, rate: float) -> AsyncIterator[list[Recording]]:
    """So many calls, all of which have been heard."""
    hang_up = trio.Event()
    recordings = []

    async def keep(recording: Recording) -> None:
        async with callers.call(recording):
            await hang_up.wait()

    async with trio.open_nursery() as nursery:
        start = trio.current_time()
        for number in range(calls):
            await trio.sleep_until(start + number / rate)
            recordings.append(Recording())
            nursery.start_soon(keep, recordings[-1])
        with trio.fail_after(SETUP_TIMEOUT):
            for recording in recordings:
                await recording.heard.wait()
        yield recordings
        hang_up.set()


async def _measure(recordings: list[Recording], seconds: float) -> None:
    for recording in recordings:
        recording.keeping = True
    print("steady", flush=True)
    await trio.sleep(seconds)
    print("over", flush=True)
    for recording in recordings:
        recording.keeping = False


def results(recordings: list[Recording], seconds: float) -> dict[str, object]:
    """What the parent process wants to know, times in milliseconds."""
    return {
        "answer": [(one.answered_at - one.offered_at) * 1e3 for one in recordings],
        "first_audio": [(one.first_audio_at - one.offered_at) * 1e3 for one in recordings],
        "lateness": [late * 1e3 for one in recordings for late in one.lateness()],
        "packets": [len(one.arrivals) for one in recordings],
        "packets_due": round(seconds * FRAMES_PER_SECOND),
    }


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", choices=list(SIGNALING), required=True)
    parser.add_argument("--port", type=int, nargs="+", required=True, help="of each server: they are called in turn")
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="calls opened per second")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    with failing_in_words():
        recordings = await run(Callers(options.server, *options.port), options.calls, options.rate, options.seconds)
        print(json.dumps(results(recordings, options.seconds)), flush=True)


if __name__ == "__main__":
    trio.run(_main)
