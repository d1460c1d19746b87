"""How something grows: the slope of the line that fits a series best."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import Final

from benchmarks.soak.server import Holdings
from benchmarks.soak.verdict import Verdict

Sample = tuple[float, Holdings]
"""When, or after how many calls; and what the gateway held."""
IN_1000_CALLS: Final = {"resident_kib": 1024.0, "descriptors": 1.0, "tasks": 1.0}
"""What may be more after another thousand calls: a KiB for each of them, and nothing that is not given back."""
IN_AN_HOUR: Final = {"resident_kib": 4096.0, "descriptors": 1.0, "tasks": 1.0}
"""What may be more after another hour of 20 calls, which is 3.6 million packets each way."""


class Growth:
    """Of each holding ``per`` so many calls or minutes: in the second half of the time, when all is warm."""

    def __init__(self, samples: Sequence[Sample], per: float) -> None:
        self._late = samples[len(samples) // 2 :]
        self._per = per
        self._slopes = {field.name: slope(self._points(index)) * per for index, field in enumerate(fields(Holdings))}

    def __str__(self) -> str:
        """All slopes, and where each ended."""
        now = astuple(self._late[-1][1])
        return ", ".join(
            f"{name} {by:+.1f} (now {now[index]})" for index, (name, by) in enumerate(self._slopes.items())
        )

    def verdict(self, limits: Mapping[str, float]) -> Verdict:
        """Not shown where the samples span too little: then a page of memory would look like a leak."""
        if self._late[-1][0] - self._late[0][0] < self._per / 6:
            return Verdict.NOT_SHOWN
        return Verdict.GOOD if all(self._slopes[name] <= most for name, most in limits.items()) else Verdict.NOT_GOOD

    def _points(self, index: int) -> list[tuple[float, float]]:
        return [(moment, float(astuple(holdings)[index])) for moment, holdings in self._late]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line of least squares; not a number for fewer than two points."""
    if len(points) < 2:
        return math.nan
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else math.nan
