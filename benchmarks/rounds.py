"""All runs, several times over: interleaved, so that what changes with time changes for all of them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from benchmarks.machine import Noise, complaints
from benchmarks.measurement import CallsFailed, CodecCost, Measurement, measure
from benchmarks.scenarios import ECHO, Kind, Scenario
from benchmarks.setup_cost import SetupCost, measure_setup
from benchmarks.speech import SAMPLE_RATE
from benchmarks.spread import Spread, ratios, spread

HIGH_LOAD: Final = 0.7
SETUP_SECONDS: Final = 15.0
"""About what ``measure_setup`` takes."""


@dataclass(slots=True)
class Row:
    """A scenario, and its measurement in each round."""

    scenario: Scenario
    rounds: list[Measurement] = field(default_factory=list)

    def of(self, figure: Callable[[Measurement], float]) -> Spread:
        """One figure over all rounds."""
        return spread([figure(one) for one in self.rounds])

    def to_codec(self, cost: Callable[[CodecCost], float]) -> Spread:
        """CPU time as a multiple of the codec's in the same round."""
        return spread(ratios([one.cpu for one in self.rounds], [cost(one.codec) for one in self.rounds]))

    @property
    def failures(self) -> int:
        """Rounds in which the calls did not come up."""
        return sum(one.returned == 0 for one in self.rounds)

    @property
    def complaints(self) -> list[str]:
        """Why it proves nothing of the gateway; the control is the codec with one stream."""
        return complaints([one.noise for one in self.rounds], [one.codec.hot for one in self.rounds])


@dataclass(slots=True)
class Results:
    """Everything that was measured, round by round."""

    rows: dict[Scenario, Row] = field(default_factory=dict)
    busy: Row | None = None
    """At ``HIGH_LOAD`` of a core, by the CPU time that a call of ``ECHO[SAMPLE_RATE]`` took at first."""
    setup: list[SetupCost] = field(default_factory=list)

    @property
    def setup_complaints(self) -> list[str]:
        """As those of a row; the control are sessions alone, for which nothing else was measured."""
        noises: list[Noise] = [one.noise for one in self.setup]
        return complaints(noises, [one.session for one in self.setup])


def estimated_minutes(scenarios: Sequence[Scenario], repeats: int, seconds: float, *, setup: bool) -> float:
    """On a machine that keeps pace."""
    each_round = sum(scenario.seconds(seconds) for scenario in scenarios)
    if setup:
        each_round += SETUP_SECONDS + Scenario(Kind.ECHO, 80).seconds(seconds)
    return each_round * repeats / 60


def run_rounds(scenarios: Sequence[Scenario], repeats: int, seconds: float, *, setup: bool) -> Iterator[Results]:
    """The results so far after each round; with ``setup`` what calls cost to set up, and calls at high load, too."""
    results = Results({scenario: Row(scenario) for scenario in scenarios})
    for number in range(repeats):
        _say(f"round {number + 1} of {repeats}")
        for scenario in rotated(scenarios, number):
            _say(f"  {scenario.name}")
            results.rows[scenario].rounds.append(measure(scenario, seconds))
        if setup:
            _measure_beside(results, seconds)
        yield results


def _measure_beside(results: Results, seconds: float) -> None:
    if results.busy is None and (cpu := results.rows[ECHO[SAMPLE_RATE]].of(lambda one: one.cpu).median) > 0:
        results.busy = Row(Scenario(Kind.ECHO, calls_at_load(cpu)))
    if results.busy is not None:
        _say(f"  {results.busy.scenario.name} ({HIGH_LOAD:.0%} load)")
        results.busy.rounds.append(measure(results.busy.scenario, seconds))
    _say("  set-up")
    with suppress(CallsFailed):
        results.setup.append(measure_setup())


def calls_at_load(cpu: float) -> int:
    """How many calls make ``HIGH_LOAD`` of a core, at so many milliseconds for each second of a call."""
    return max(1, int(HIGH_LOAD * 1000 / cpu))


def rotated(scenarios: Sequence[Scenario], number: int) -> list[Scenario]:
    """Each round begins at another place: nobody is always measured after the same one."""
    start = number * 3 % len(scenarios)
    return [*scenarios[start:], *scenarios[:start]]


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)
