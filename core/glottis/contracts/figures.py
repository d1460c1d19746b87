"""What a gateway has counted as a whole, and how its sessions stand: for extensions that tell operators."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Of seconds: how many were at most each bound, those below it among them. The last bound is infinite."""

    at_most: Mapping[float, int] = field(default_factory=lambda: {math.inf: 0})
    longest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFigures:
    """What a plugin was asked for since the start, and how it fared."""

    plugin: str
    distribution: str
    action: str
    """Such as ``encode of opus`` or ``agent echo``."""
    calls: int
    errors: int
    slow: int
    """That took longer than there is time."""
    seconds: float
    """Of all calls; of what waits, such as an agent, waiting is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFigures:
    """Of one process, now."""

    sessions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many there are, by their campaign and their state."""
    counts: Mapping[str, float] = field(default_factory=dict)
    """What ``Gateway.counts`` has, by name."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Requests that came to nothing, by the code that their clients were told; ``HTTP_404`` and the like where a plugin
    says none."""
    lateness: Histogram = Histogram()
    """Of the turns of the wheel."""
    collections: int = 0
    """Of garbage."""
    collection_seconds: float = 0.0
    plugins: tuple[PluginFigures, ...] = ()
