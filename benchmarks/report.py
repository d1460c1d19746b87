"""The tables, and what they say about the aims."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.measurement import Measurement, percentile

_COLUMNS: Final = (
    ("calls", ""),
    ("CPU ms per", "call-second"),
    ("calls", "per core"),
    ("KiB", "per call"),
    ("offer→answer", "p50/p99 ms"),
    ("offer→audio", "p50/p99 ms"),
    ("lateness", "p50/p99 ms"),
    ("packets", "returned"),
)
COMPLETE: Final = 0.99
"""The share of packets that must have come back for a run to count."""
_NAME_WIDTH: Final = 26
_WIDTH: Final = 14


@dataclass(frozen=True, slots=True)
class Aim:
    """Something to be reached, in the unit that its sentence names."""

    sentence: str
    limit: float
    measured: float
    runs: tuple[Measurement, ...]
    """Those that it was measured in."""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Whether it is reached; a run that lost packets, as on a busy machine, proves nothing."""
        if any(run.returned < COMPLETE for run in self.runs):
            return "NOT SHOWN: packets are missing"
        reached = self.measured >= self.limit if self.at_least else self.measured <= self.limit
        return "reached" if reached else "NOT REACHED"


def print_measurements(title: str, rows: Sequence[tuple[str, Measurement]]) -> None:
    """A table with one row for each server."""
    print(f"\n{title}")
    for line in zip(*_COLUMNS, strict=True):
        print(" " * _NAME_WIDTH + "".join(cell.rjust(_WIDTH) for cell in line))
    for name, measurement in rows:
        print(name.ljust(_NAME_WIDTH) + "".join(cell.rjust(_WIDTH) for cell in _cells(measurement)), flush=True)


def print_aims(aims: Sequence[Aim]) -> None:
    """Each aim, what was measured, and whether it is reached."""
    print("\nAims")
    width = max(len(aim.sentence) for aim in aims) + 2
    for aim in aims:
        limit = f"{'≥' if aim.at_least else '≤'} {aim.limit:g}"
        print(f"{aim.sentence.ljust(width)}{limit:>8}{aim.measured:10.2f}  {aim.verdict}")


def _cells(measurement: Measurement) -> list[str]:
    return [
        f"{measurement.calls}",
        f"{measurement.cpu_per_call_second:.2f}",
        f"{measurement.calls_per_core:.0f}",
        f"{measurement.resident_kib_per_call:.0f}",
        _percentiles(measurement.answer),
        _percentiles(measurement.first_audio),
        _percentiles(measurement.lateness),
        f"{measurement.returned:.1%}",
    ]


def _percentiles(values: list[float]) -> str:
    return f"{percentile(values, 50):.1f}/{percentile(values, 99):.1f}"
