"""What is said of a figure that was measured several times."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the smallest and the largest; ``quartiles`` is the distance from the first quartile to the third."""

    median: float
    low: float
    high: float
    quartiles: float

    @property
    def relative(self) -> float:
        """The distance of the quartiles as a share of the median: one disturbed round of five does not count."""
        return self.quartiles / self.median if self.median else 0.0

    def shown(self, digits: int = 2) -> str:
        """For people."""
        if math.isnan(self.median):
            return "–"
        if self.low == self.high:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """Of those values that are numbers; without any, none of it is a number."""
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return Spread(math.nan, math.nan, math.nan, math.nan)
    low, high = min(values), max(values)
    quartiles = high - low  # of so few values there are none
    if len(values) > 3:
        first, _, third = statistics.quantiles(values, n=4, method="inclusive")
        quartiles = third - first
    return Spread(statistics.median(values), low, high, quartiles)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Round by round: what disturbed a whole round is in both, and drops out."""
    return [one / other for one, other in zip(numerators, denominators, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent are not above; not a number where there is none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]
