"""Two checkouts of glottis, alternately: what a change costs or saves.

The callers and the codec's cost are this checkout's in both cases; the servers are started from each one's virtual
environment. The order changes from pair to pair, so that what changes with time is on neither side.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.machine import complaints
from benchmarks.measurement import Measurement, measure
from benchmarks.processes import HERE, Checkout
from benchmarks.report import in_words
from benchmarks.scenarios import Scenario
from benchmarks.spread import ratios, spread

ENOUGH_PAIRS: Final = 5
"""Of the same code, so many differ in the same sense once in sixteen times."""
_FIGURES: Final[Sequence[tuple[str, Callable[[Measurement], float]]]] = (
    ("CPU, ms per call-second", lambda one: one.cpu),
    ("lateness p50, ms", lambda one: one.lateness_p50),
    ("lateness p99, ms", lambda one: one.lateness_p99),
    ("first audio p50, ms", lambda one: one.first_audio_p50),
    ("memory, KiB per call", lambda one: one.resident_kib),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs, one just after the other."""

    this: Measurement
    other: Measurement


def compare(other: Checkout, scenarios: Sequence[Scenario], repeats: int, seconds: float) -> None:
    """Print a table for each scenario when all pairs have been measured."""
    pairs: dict[Scenario, list[Pair]] = {scenario: [] for scenario in scenarios}
    for number in range(repeats):
        for scenario in scenarios:
            print(f"pair {number + 1} of {repeats}: {scenario.name}", file=sys.stderr, flush=True)
            pairs[scenario].append(_measure_pair(scenario, seconds, other, this_first=number % 2 == 0))
    print(f"this: {HERE.root}, other: {other.root}; medians of {repeats} (lowest–highest)")
    for scenario, measured in pairs.items():
        _print_pairs(scenario, measured)


def _measure_pair(scenario: Scenario, seconds: float, other: Checkout, *, this_first: bool) -> Pair:
    first, second = (HERE, other) if this_first else (other, HERE)
    measured = {checkout: measure(scenario, seconds, checkout) for checkout in (first, second)}
    return Pair(measured[HERE], measured[other])


def _print_pairs(scenario: Scenario, pairs: Sequence[Pair]) -> None:
    runs = [run for pair in pairs for run in (pair.this, pair.other)]
    noise = complaints([run.noise for run in runs], [run.codec.hot for run in runs])
    print(f"\n{scenario.name}   {in_words(noise)}")
    print(f"{'':26}{'this':>26}{'other':>26}{'this / other':>22}")
    for name, figure in _FIGURES:
        these, others = [figure(pair.this) for pair in pairs], [figure(pair.other) for pair in pairs]
        measured = ratios(these, others)
        cells = f"{spread(these).shown():>26}{spread(others).shown():>26}{spread(measured).shown(3):>22}"
        print(f"{name:26}{cells}  {difference(measured)}")


def difference(measured: Sequence[float]) -> str:
    """What the ratios of all pairs say, in words: only what each of them says, and not by chance."""
    if any(map(math.isnan, measured)):
        return "calls did not come up"
    if len(measured) < ENOUGH_PAIRS:
        return "too few pairs to say"
    if all(ratio < 1 for ratio in measured):
        return "less in all pairs"
    return "more in all pairs" if all(ratio > 1 for ratio in measured) else "no difference to be seen"
