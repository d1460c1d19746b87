"""Other stacks as echoes, in processes of their own, with the same caller, speech, networks and receiver.

They go by the clock on the wall, over loopback: the network is between the caller's driver and its socket, and all
calls are one after the other. What else runs on the machine can be heard.
"""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import trio
from glottis.lab.speech import Speech
from glottis.media.scheduler import Scheduler
from glottis.plugins import load_plugins
from support.phone import Loopback

from benchmarks.processes import HERE, free_port, wait_for_port
from benchmarks.signaling import open_aiortc_signaling
from benchmarks.voice.caller import Caller, Recording
from benchmarks.voice.line import Line
from benchmarks.voice.networks import Case
from benchmarks.voice.report import Row
from benchmarks.voice.score import score

SEED: Final = 0
_MODULE: Final = HERE.root / "tests" / "interop" / "callers" / "npm" / "node_modules" / "@roamhq" / "wrtc"


def stacks_at_hand() -> list[str]:
    """The names of those that are installed; says which are not."""
    if _MODULE.exists():
        return list(_SERVERS)
    print(f"libwebrtc is left out: there is no {_MODULE}; `make voice` installs it", file=sys.stderr)
    return [stack for stack in _SERVERS if stack != "libwebrtc"]


def measure_stack(stack: str, cases: Sequence[Case], speech: Speech) -> list[Row]:
    """Each case once; both take as long as the speech."""
    rows = []
    for case in cases:
        with _SERVERS[stack]() as port:
            recording = trio.run(_call, port, case, speech)
        codec = load_plugins().codecs.find(case.codec).spec
        rows.append(Row(case, [score(recording, speech, codec)]))
        print(f"{stack}, {case.title}: PESQ {rows[-1].scores[0].pesq:.2f}", file=sys.stderr, flush=True)
    return rows


async def _call(port: int, case: Case, speech: Speech) -> Recording:
    scheduler = Scheduler()
    async with open_aiortc_signaling(port) as exchange, trio.open_nursery() as nursery:
        caller = Caller(
            Loopback().open_endpoint(),
            scheduler,
            Line(*case.carriers(SEED)),
            load_plugins().codecs.find(case.codec).spec,
            speech,
            rng=random.Random(SEED),
            red=case.red,
        )
        nursery.start_soon(scheduler.run)
        nursery.start_soon(caller.run)
        await caller.connect(exchange)
        recording = await caller.speak()
        caller.hang_up()
        nursery.cancel_scope.cancel()
    return recording


def _aiortc() -> AbstractContextManager[int]:
    return _listening(lambda port: [sys.executable, "-m", "benchmarks.aiortc_echo", "--port", str(port)])


def _libwebrtc() -> AbstractContextManager[int]:
    script = str(Path(__file__).with_name("libwebrtc_echo.mjs"))
    return _listening(lambda port: ["node", script, str(port)])


_SERVERS: Final = {"aiortc": _aiortc, "libwebrtc": _libwebrtc}


@contextmanager
def _listening(command: Callable[[int], Sequence[str]]) -> Iterator[int]:
    """The port of a server that is ended with the block."""
    port = free_port()
    process = subprocess.Popen(command(port), cwd=HERE.root, text=True)
    try:
        wait_for_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()
