"""What has become of a call: as its file says, or as it was run again."""

import math
from typing import Any, Final

from msgspec import Struct

PAUSE: Final = 0.3
"""Seconds without a packet of the agent's, after which it is another time that it speaks."""
BIN: Final = 0.1
"""Seconds of which there is a level."""
SILENCE: Final = -96
"""dBFS."""
FIGURES: Final = (
    "packetsReceived",
    "packetsLost",
    "packetsDiscarded",
    "totalSamplesReceived",
    "concealedSamples",
    "fecRecoveredSamples",
    "redRecoveredSamples",
    "insertedSamplesForDeceleration",
    "removedSamplesForAcceleration",
)
"""Of the caller's stream, by their names in W3C webrtc-stats."""
DELAY: Final = "meanDelayMs"
"""For which a sample was in the jitter buffer."""


class Spoke(Struct, frozen=True, array_like=True):
    """Once, in seconds."""

    begin: float
    end: float


class Wrote(Struct, frozen=True, array_like=True):
    """A message or event of the agent's, as JSON has it."""

    at: float
    content: str


class Outcome(Struct, frozen=True, kw_only=True):
    """Times are seconds since the file's zero. What is None was not kept."""

    ended_at: float
    reason: str = ""
    figures: dict[str, float] | None = None
    keys: str | None = None
    """That the caller has pressed."""
    spoke: tuple[Spoke, ...] = ()
    """When the agent did."""
    wrote: tuple[Wrote, ...] = ()
    """Messages of the agent's."""
    events: tuple[Wrote, ...] = ()
    sound: str | None = None
    """The hash of all samples that were heard."""
    levels: tuple[int, ...] | None = None
    """In dBFS, of each tenth of a second of what was heard."""
    failed: str = ""
    """What the agent has raised."""


class Speaking:
    """Makes times of packets."""

    def __init__(self) -> None:
        self._begin = self._end = -math.inf
        self._times: list[Spoke] = []

    def add(self, at: float, seconds: float) -> None:
        """A packet has left."""
        if at - self._end > PAUSE:
            self._close()
            self._begin = at
        self._end = max(self._end, at + seconds)

    def times(self) -> tuple[Spoke, ...]:
        """Up to now."""
        self._close()
        self._begin = self._end = -math.inf
        return tuple(self._times)

    def _close(self) -> None:
        if self._end > -math.inf:
            self._times.append(Spoke(round(self._begin, 3), round(self._end, 3)))


def figures_of(inbound: dict[str, Any] | None) -> dict[str, float]:
    """Those that are compared, of the members of ``inbound-rtp``; nothing was heard of a call without it."""
    inbound = inbound or {}
    figures = {name: _number(inbound.get(name)) for name in FIGURES}
    emitted = _number(inbound.get("jitterBufferEmittedCount"))
    delay = _number(inbound.get("jitterBufferDelay"))
    figures[DELAY] = round(1000 * delay / emitted, 3) if emitted else 0.0
    return figures


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
