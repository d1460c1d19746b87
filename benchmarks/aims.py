"""What is to be reached, and whether it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.measurement import Measurement
from benchmarks.rounds import HIGH_LOAD, Results, Row
from benchmarks.scenarios import BESIDE, ECHO, FULL_CORE, MANY, PASS_THROUGH, Scenario
from benchmarks.speech import SAMPLE_RATE
from benchmarks.spread import Spread, ratios, spread

COMPLETE: Final = 0.99
"""The share of packets that must have come back for a run to count."""
MAX_LATE: Final = 0.01
"""The share of packets that may come late when a core carries as many calls as it is to carry."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Something to be reached, in the unit that its sentence names."""

    sentence: str
    limit: float
    measured: Spread
    rows: tuple[Row, ...] = ()
    """Those that it was measured in: if packets are missing there, nothing is shown."""
    complaints: tuple[str, ...] = ()
    """About the machine, beside those about the rows."""
    at_least: bool = False
    is_complete: bool = True
    """Whether all packets have come where there are no rows to tell."""

    @property
    def verdict(self) -> str:
        """By the median, in words."""
        if not self.is_complete or any(row.of(lambda one: one.returned).median < COMPLETE for row in self.rows):
            return "NOT SHOWN: packets are missing"
        noise = {*self.complaints, *(word for row in self.rows for word in row.complaints)}
        if noise:
            return f"NOT SHOWN, the machine is too noisy: {', '.join(sorted(noise))}"
        median = self.measured.median
        reached = median >= self.limit if self.at_least else median <= self.limit
        return "reached" if reached else "NOT REACHED"


def aims(results: Results) -> list[Aim]:
    """Of all that was measured."""
    return [*_aims_of_echo(results), *_aims_of_passing(results), *_aims_of_load(results)]


def _aims_of_echo(results: Results) -> Iterator[Aim]:
    for rate, scenario in ECHO.items():
        if row := results.rows.get(scenario):
            khz = f"{rate // 1000} kHz"
            yield Aim(
                f"CPU of a call / codec in place, {khz}", 1.45, row.to_codec(lambda codec: codec.in_place), (row,)
            )
    row, beside = results.rows.get(ECHO[SAMPLE_RATE]), results.rows.get(BESIDE)
    if row is None:
        return
    if beside is not None:
        times = spread(ratios([one.cpu for one in beside.rounds], [one.cpu for one in row.rounds]))
        yield Aim("CPU of a call, aiortc / glottis", 6, times, (row, beside), at_least=True)
    yield _aim(row, "offer to answer, p50, ms", 20, lambda one: one.answer_p50)
    yield _aim(row, "offer to first audio, p99, ms", 150, lambda one: one.first_audio_p99)
    yield _aim(row, "memory of a call beyond codec and DTLS, KiB", 150, lambda one: one.own_kib)


def _aims_of_passing(results: Results) -> Iterator[Aim]:
    if row := results.rows.get(PASS_THROUGH):
        yield _aim(row, "CPU without decoding, ms per call-second", 2.5, lambda one: one.cpu)
        yield Aim("the same / codec in place, 48 kHz", 0.25, row.to_codec(lambda codec: codec.in_place), (row,))


def _aims_of_load(results: Results) -> Iterator[Aim]:
    if results.busy is not None:
        yield _aim(results.busy, f"lateness at {HIGH_LOAD:.0%} load, p99, ms", 5, lambda one: one.lateness_p99)
    if row := best_at_full_core(results.rows, FULL_CORE):
        sentence = f"late of {MANY} calls on a core, complexity {row.scenario.complexity}, %"
        late = spread([one.late * 100 for one in row.rounds])
        noise = tuple(row.complaints)
        yield Aim(sentence, MAX_LATE * 100, late, complaints=noise)  # those that did not come are among the late


def best_at_full_core(rows: dict[Scenario, Row], scenarios: Sequence[Scenario]) -> Row | None:
    """The highest complexity at which hardly a packet comes late, else the lowest; None if none was measured."""
    measured = [rows[scenario] for scenario in scenarios if scenario in rows]
    by_complexity = sorted(measured, key=lambda row: row.scenario.complexity, reverse=True)
    in_time = (row for row in by_complexity if row.of(lambda one: one.late).median < MAX_LATE)
    return next(in_time, by_complexity[-1] if by_complexity else None)


def _aim(row: Row, sentence: str, limit: float, figure: Callable[[Measurement], float]) -> Aim:
    return Aim(sentence, limit, row.of(figure), (row,))
