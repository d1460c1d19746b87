"""How something grows: the slope of the line that fits a series best."""

from collections.abc import Sequence
from dataclasses import astuple, fields

from benchmarks.soak.server import Holdings

Sample = tuple[float, Holdings]
"""When, or after how many calls; and what the gateway held."""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line of least squares; not a number for fewer than two points."""
    if len(points) < 2:
        return float("nan")
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else float("nan")


def growth(samples: Sequence[Sample], per: float) -> str:
    """Of each holding, in the second half of the time, when all is warm: its slope, and where it ended."""
    late = samples[len(samples) // 2 :]
    columns = []
    for index, field in enumerate(fields(Holdings)):
        points = [(moment, float(astuple(holdings)[index])) for moment, holdings in late]
        columns.append(f"{field.name} {slope(points) * per:+.1f} (now {points[-1][1]:.0f})")
    return ", ".join(columns)
