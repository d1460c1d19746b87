"""How a process fares at present: by the difference of what it has counted between two looks."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import trio
from glottis import GatewayFigures

SPAN: Final = 10.0
"""Seconds that are looked back over, at least."""
QUANTILE: Final = 0.99


class _Look(NamedTuple):
    at: float
    cpu: float
    at_most: Mapping[float, int]


class Pulse:
    """Costs nothing while nobody looks; the first look is of the time since the start, or since somebody has looked."""

    def __init__(
        self, clock: Callable[[], float] = trio.current_time, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._cpu = cpu
        self._looks = [_Look(clock(), cpu(), {})]

    def look(self, figures: GatewayFigures) -> dict[str, Any]:
        """Share of a core, lateness of the wheel in seconds, and what the gateway says itself."""
        now = _Look(self._clock(), self._cpu(), figures.lateness.at_most)
        while len(self._looks) > 1 and now.at - self._looks[1].at >= SPAN:
            self._looks.pop(0)
        before = self._looks[0]
        if now.at - self._looks[-1].at >= SPAN / 2:
            self._looks.append(now)
        counts = figures.counts
        return {
            "cpu": round((now.cpu - before.cpu) / max(now.at - before.at, 1e-3), 3),
            "lateness": _quantile(before.at_most, now.at_most),
            "longestLateness": figures.lateness.longest,
            "load": counts.get("media_load", 0.0),
            "complexity": counts.get("complexity", 0),
            "refusals": figures.refusals,
            "sessions": [[campaign, state, count] for (campaign, state), count in figures.sessions.items()],
        }


def _quantile(before: Mapping[float, int], now: Mapping[float, int]) -> float | None:
    """The bound within which all but 1 % of what was counted meanwhile is; None where nothing was, or it has none."""
    counts = [(bound, count - before.get(bound, 0)) for bound, count in sorted(now.items())]
    if not counts or not counts[-1][1]:
        return None
    found = next(bound for bound, count in counts if count >= QUANTILE * counts[-1][1])
    return None if math.isinf(found) else found
