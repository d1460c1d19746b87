"""What several workers on one machine make of a call: its cost and its lateness beside those of one.

Three ways are measured in turn, with as many calls for each worker: one worker, two workers of one gateway, and two
gateways of one worker each, which is all that the machine itself could make of twice the calls. The callers need the
processor as well, so all run on all cores, and CPU time is counted for the gateway's processes alone, the parent and
the worker that waits included.
"""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from benchmarks.aims import COMPLETE, Aim
from benchmarks.machine import Noise, WatchOfAll, complaints
from benchmarks.measurement import CallsFailed, arguments_of, codec_cost, late_share, wait_for
from benchmarks.processes import START_TIMEOUT, cpu_seconds, family_of, running
from benchmarks.report import in_words
from benchmarks.scenarios import FIXED_SECONDS, MIDDLE, OPENING_SECONDS, Kind, Scenario
from benchmarks.servers import Server, glottis
from benchmarks.signaling import HOST
from benchmarks.spread import Spread, percentile, ratios, spread

LINEAR: Final = 0.9
"""Of the calls that a core carries with one worker, so many it is to carry with two."""
CALLS: Final = MIDDLE
"""For each worker."""


class Way(Enum):
    """The workers of each gateway."""

    ONE = (1,)
    TWO = (2,)
    APART = (1, 1)

    @property
    def title(self) -> str:
        """For a row of a table."""
        gateways = f"{len(self.value)} gateways, " if len(self.value) > 1 else ""
        return f"{gateways}{self.value[0]} worker{'s' if self.value[0] > 1 else ' each' if gateways else ''}"


@dataclass(frozen=True, slots=True)
class FleetMeasurement:
    """Of one run: see ``measurement.Measurement``. ``control`` is what the codec alone cost just before."""

    cpu: float
    lateness_p50: float
    lateness_p99: float
    late: float
    returned: float
    control: float
    noise: Noise


@dataclass(slots=True)
class FleetResults:
    """Of all ways, round by round; a round in which calls did not come up is in none."""

    calls: int = CALLS
    """For each worker."""
    rounds: list[dict[Way, FleetMeasurement]] = field(default_factory=list)

    def of(self, way: Way, figure: Callable[[FleetMeasurement], float]) -> Spread:
        """One figure over all rounds."""
        return spread([figure(one[way]) for one in self.rounds])

    def linearity(self, way: Way) -> Spread:
        """Calls that a core carries in this way, as a share of those that it carries with one worker."""
        return spread(ratios([one[Way.ONE].cpu for one in self.rounds], [one[way].cpu for one in self.rounds]))

    def complaints(self, *ways: Way) -> list[str]:
        """Why these rows prove nothing of the gateway."""
        rows = [[one[way] for one in self.rounds] for way in ways]
        found = [complaints([one.noise for one in row], [one.control for one in row]) for row in rows if row]
        return sorted({complaint for row in found for complaint in row})


def measure_round(results: FleetResults, number: int, seconds: float) -> None:
    """All ways, each time beginning with another one."""
    ways = list(Way)
    start = number % len(ways)
    with suppress(CallsFailed):
        results.rounds.append({way: measure_way(way, results.calls, seconds) for way in [*ways[start:], *ways[:start]]})


def measure_way(way: Way, calls: int, seconds: float) -> FleetMeasurement:
    """With so many calls for each worker. Raises ``CallsFailed``."""
    total = calls * sum(way.value)
    control = codec_cost(Scenario(Kind.ECHO, calls)).hot
    with ExitStack() as stack:
        servers = [stack.enter_context(_gateway(workers, total)) for workers in way.value]
        callers = stack.enter_context(_callers(servers, total, seconds))
        wait_for("warm", callers)
        wait_for("steady", callers)
        gateway = [pid for server in servers for pid in family_of(server.pid)]
        watch = WatchOfAll([*gateway, callers.pid])
        before = sum(map(cpu_seconds, gateway))
        wait_for("over", callers)
        cpu = sum(map(cpu_seconds, gateway)) - before
        noise = watch.noise()
        assert callers.stdout
        seen = json.loads(callers.stdout.readline())
    returned = sum(seen["packets"]) / (seen["packets_due"] * total)
    return FleetMeasurement(
        cpu=cpu * 1e3 / max(seconds * total * returned, 1e-9),
        lateness_p50=percentile(seen["lateness"], 50),
        lateness_p99=percentile(seen["lateness"], 99),
        late=late_share(seen["lateness"], seen["packets"], seen["packets_due"]),
        returned=returned,
        control=control,
        noise=noise,
    )


@contextmanager
def _gateway(workers: int, calls: int) -> Iterator[Server]:
    with glottis(Scenario(Kind.ECHO, calls, workers=workers), core=None) as server:
        wait_until_ready(server.port)
        yield server


def wait_until_ready(port: int) -> None:
    """Until all workers take calls. Raises ``TimeoutError``."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
            return
        time.sleep(0.05)
    raise TimeoutError(f"the gateway on port {port} takes no calls")


@contextmanager
def _callers(servers: Sequence[Server], calls: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    scenario = Scenario(Kind.ECHO, calls)
    options = {"server": "glottis", "calls": calls, "rate": scenario.opening_rate, "seconds": seconds}
    ports = [str(server.port) for server in servers]
    with running(["-m", "benchmarks.load", *arguments_of(options), "--port", *ports], None) as process:
        yield process


def estimated_seconds(repeats: int, seconds: float) -> float:
    """On a machine that keeps pace."""
    return repeats * len(Way) * (FIXED_SECONDS + OPENING_SECONDS + seconds)


def run_fleet_rounds(calls: int, repeats: int, seconds: float) -> FleetResults:
    """These alone, without all else that ``make bench`` measures."""
    results = FleetResults(calls)
    for number in range(repeats):
        print(f"round {number + 1} of {repeats}", file=sys.stderr, flush=True)
        measure_round(results, number, seconds)
    return results


def print_fleet(results: FleetResults) -> None:
    """The table, for people."""
    print(f"\nWorkers on one machine, {results.calls} calls for each, echo at 48 kHz; all processes on all cores")
    print(" " * 26 + "CPU, ms per call-second   calls per core     of linear     lateness, ms p50 / p99      late")
    for way in Way:
        cpu, late = results.of(way, lambda one: one.cpu), results.of(way, lambda one: one.late)
        p50, p99 = results.of(way, lambda one: one.lateness_p50), results.of(way, lambda one: one.lateness_p99)
        calls = results.of(way, lambda one: 1000 / one.cpu)
        print(
            f"{way.title:26}{cpu.shown():>23}{calls.shown(0):>17}{results.linearity(way).shown():>18}"
            f"{f'{p50.median:.1f} / {p99.shown(1)}':>23}{late.median:>10.2%}  {in_words(results.complaints(way))}",
            flush=True,
        )


def fleet_aims(results: FleetResults) -> list[Aim]:
    """What is to be reached with two workers; none where nothing was measured."""
    if not results.rounds:
        return []
    sentence, noise = "calls per core, two workers / one", tuple(results.complaints(*Way))
    is_complete = all(results.of(way, lambda one: one.returned).median >= COMPLETE for way in Way)
    linearity = results.linearity(Way.TWO)
    return [Aim(sentence, LINEAR, linearity, complaints=noise, at_least=True, is_complete=is_complete)]
