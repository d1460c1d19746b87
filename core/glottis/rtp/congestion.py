"""How much the path to the peer carries: less where a queue grows, above all where it overflows.

Loss alone is no sign: radio loses packets at any rate, and is answered by redundancy (``loss.py``). A queue without
loss is one only where it is long, since what fills it may be somebody else.
"""

import math
from typing import Final

BASE_WINDOW: Final = 15.0
"""Seconds: the shortest way within one or two of these is the one without a queue. Clocks drift apart by less than two
milliseconds meanwhile."""

SHORT_QUEUE: Final = 0.03
"""Seconds of delay beyond the shortest: below, there is none that matters."""
LONG_QUEUE: Final = 0.15
"""From here on the rate is lowered without loss, too."""
OVERFLOW: Final = 0.02
"""Share of packets that are lost behind a queue."""
DECREASE: Final = 0.75
INCREASE: Final = 0.05
"""Of the rate, for each second without a queue."""
CAREFUL_INCREASE: Final = 0.005
"""The same near the rate that was too much."""
NEAR: Final = 0.8
"""Of that rate."""
PATIENCE: Final = 1.0
"""Seconds until a lower rate has emptied the queue: so long it is not lowered again, nor raised."""
LIMIT_LIFETIME: Final = 20.0
"""Seconds that the peer's own estimate is obeyed; it repeats it every few seconds."""
_SMOOTHING: Final = 0.2


class LeastDelay:
    """The least of what was measured within one or two of ``BASE_WINDOW``."""

    __slots__ = ("_before", "_least", "_window_ends_at")

    def __init__(self) -> None:
        self._least = self._before = math.inf
        self._window_ends_at = -math.inf

    def noted(self, delay: float, now: float) -> float:
        """Take in a measurement; returns the least of all."""
        if now >= self._window_ends_at:
            self._before, self._least = self._least, math.inf
            self._window_ends_at = now + BASE_WINDOW
        self._least = min(self._least, delay)
        return min(self._least, self._before)


class RateController:
    """``bitrate`` is what may be sent, in bits per second with all headers, between ``least`` and ``most``."""

    __slots__ = (
        "_calm_since",
        "_full_at",
        "_limit",
        "_limited_at",
        "_loss",
        "_patient_until",
        "_round_trips",
        "_target",
        "least",
        "most",
    )

    def __init__(self, least: float, most: float) -> None:
        self.least = least
        self.most = most
        self._target = most
        self._full_at = math.inf
        """The rate that has filled the path last."""
        self._limit = math.inf
        self._limited_at = -math.inf
        self._loss = 0.0
        self._patient_until = -math.inf
        self._calm_since: float | None = None
        self._round_trips = LeastDelay()

    @property
    def bitrate(self) -> float:
        """What may be sent now."""
        return min(self.most, max(self.least, min(self._target, self._limit)))

    def path_reported(self, packets: int, lost: int, queueing_delay: float | None, now: float) -> None:
        """Of so many packets so many were lost; the others have waited so long, in seconds. See ``PathReport``."""
        self._loss = max(0.0, self._loss + (lost - self._loss * packets) * min(_SMOOTHING / 10, 1 / max(1, packets)))
        self._expire_limit(now)
        if queueing_delay is not None:
            self._follow(queueing_delay, self._loss, now)

    def reported(self, fraction_lost: float, round_trip_time: float | None, now: float) -> None:
        """All that some peers tell: the queue may be that of the way back, so that only with loss it says anything."""
        self._expire_limit(now)
        if round_trip_time is not None:
            queue = round_trip_time - self._round_trips.noted(round_trip_time, now)
            self._follow(min(queue, LONG_QUEUE), fraction_lost, now)

    def round_trip_measured(self, round_trip_time: float, now: float) -> None:
        """By others, and perhaps before there was media that could fill a queue."""
        self._round_trips.noted(round_trip_time, now)

    def limited(self, bitrate: float, now: float) -> None:
        """The peer has estimated how much may be sent."""
        self._limit = bitrate
        self._limited_at = now

    def _expire_limit(self, now: float) -> None:
        if now - self._limited_at > LIMIT_LIFETIME:
            self._limit = math.inf

    def _follow(self, queue: float, loss: float, now: float) -> None:
        if queue > LONG_QUEUE or (queue > SHORT_QUEUE and loss >= OVERFLOW):
            self._calm_since = None
            if now >= self._patient_until:
                self._full_at = self._target
                self._target = max(self.least, DECREASE * self._target)
                self._patient_until = now + PATIENCE
        elif queue <= SHORT_QUEUE and now >= self._patient_until:
            if self._calm_since is not None:
                elapsed = min(PATIENCE * 5, now - self._calm_since)
                near = NEAR * self._full_at < self._target < self._full_at
                self._target = min(self.most, self._target * (1 + (CAREFUL_INCREASE if near else INCREASE) * elapsed))
            self._calm_since = now
