"""One run: a server, so many callers, and what was read off both."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from benchmarks.processes import CALLERS_CORE, cpu_seconds, resident_kib, running
from benchmarks.servers import Server

CALLS_PER_SECOND: Final = 5.0
"""At which calls are opened: much faster than calls come in life, and no thundering herd."""
WARM_UP_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times in milliseconds; each list holds what was seen, call by call or packet by packet.

    CPU time is shared out among the seconds of sound that came back, for a server that drops packets works less.
    """

    calls: int
    cpu_per_call_second: float
    resident_kib_per_call: float
    answer: list[float]
    first_audio: list[float]
    lateness: list[float]
    returned: float
    """The share of packets that came back (0–1, a little above where the window's ends fall so)."""

    @property
    def calls_per_core(self) -> float:
        """How many such calls would fill a core."""
        return 1000 / self.cpu_per_call_second


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many per cent are not above; not a number where there is none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def measure(starting: AbstractContextManager[Server], calls: int, seconds: float) -> Measurement:
    """Start the server, let one caller warm it up, and then ``calls`` callers talk for ``seconds``."""
    with starting as server:
        list(_callers(server, 1, WARM_UP_SECONDS))
        resident_before = resident_kib(server.pid)
        steps = _callers(server, calls, seconds)
        next(steps)
        cpu_before = cpu_seconds(server.pid)
        next(steps)
        cpu = cpu_seconds(server.pid) - cpu_before
        resident = resident_kib(server.pid) - resident_before
        seen = json.loads(next(steps))
    return Measurement(
        calls=calls,
        cpu_per_call_second=cpu * 1e3 / (calls * seconds * seen["returned"]),
        resident_kib_per_call=resident / calls,
        answer=seen["answer"],
        first_audio=seen["first_audio"],
        lateness=seen["lateness"],
        returned=seen["returned"],
    )


def _callers(server: Server, calls: int, seconds: float) -> Iterator[str]:
    """The lines that ``benchmarks.load`` prints, as it comes to them."""
    options = {"server": server.kind, "port": server.port, "calls": calls, "rate": CALLS_PER_SECOND, "seconds": seconds}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    with running(["-m", "benchmarks.load", *arguments], CALLERS_CORE) as process:
        assert process.stdout
        yield from process.stdout
        if process.wait():
            raise RuntimeError(f"the callers of {server.kind} have failed: see above")
