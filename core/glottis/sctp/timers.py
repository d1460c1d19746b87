"""The timers of an association and the retransmission timeout that most of them use (RFC 9260 §6.3)."""

from enum import IntEnum, auto
from typing import Final

from glottis.sctp.limits import SctpLimits

_ALPHA: Final = 1 / 8
_BETA: Final = 1 / 4
_CLOCK_GRANULARITY: Final = 0.001


class Timer(IntEnum):
    """Named as in RFC 9260; due ones fire in this order. (``IntEnum``, for its hash is quick.)"""

    T1_HANDSHAKE = auto()
    T2_SHUTDOWN = auto()
    T5_SHUTDOWN_GUARD = auto()
    T3_RTX = auto()
    RE_CONFIG = auto()
    DELAYED_SACK = auto()
    HEARTBEAT = auto()
    PAUSE = auto()


class Timers:
    """Which timers run, and until when (monotonic seconds)."""

    def __init__(self) -> None:
        self._deadlines: dict[Timer, float] = {}

    def start(self, timer: Timer, deadline: float) -> None:
        """Start or restart."""
        self._deadlines[timer] = deadline

    def start_if_stopped(self, timer: Timer, deadline: float) -> None:
        """Start unless it runs."""
        self._deadlines.setdefault(timer, deadline)

    def stop(self, timer: Timer) -> None:
        """Stop, if it runs."""
        self._deadlines.pop(timer, None)

    def stop_all(self) -> None:
        """Stop every timer."""
        self._deadlines.clear()

    def next_deadline(self) -> float | None:
        """When the first of them is due."""
        return min(self._deadlines.values(), default=None)

    def take_due(self, now: float) -> list[Timer]:
        """The timers that are due; they run no longer."""
        due = sorted(timer for timer, deadline in self._deadlines.items() if deadline <= now)
        for timer in due:
            del self._deadlines[timer]
        return due


class RetransmissionTimeout:
    """RTO from measured round trips, doubled at each expiry (RFC 9260 §6.3.1 and §6.3.3)."""

    def __init__(self, limits: SctpLimits) -> None:
        self.seconds = self._measured = limits.rto_initial
        self.smoothed_round_trip: float | None = None
        self._variation = 0.0
        self._minimum, self._maximum = limits.rto_min, limits.rto_max

    def measure(self, round_trip: float) -> None:
        """Take a round trip of something that was sent once (Karn's rule is the caller's)."""
        smoothed = self.smoothed_round_trip
        if smoothed is None:
            self.smoothed_round_trip, self._variation = round_trip, round_trip / 2
        else:
            self._variation += _BETA * (abs(smoothed - round_trip) - self._variation)
            self.smoothed_round_trip = smoothed + _ALPHA * (round_trip - smoothed)
        self._variation = max(self._variation, _CLOCK_GRANULARITY)
        self._set(self.smoothed_round_trip + 4 * self._variation)
        self._measured = self.seconds

    def back_off(self) -> None:
        """Double, up to RTO.Max."""
        self._set(self.seconds * 2)

    def forget_back_off(self) -> None:
        """The peer answers again, so what was measured counts again."""
        self.seconds = self._measured

    def _set(self, seconds: float) -> None:
        self.seconds = min(max(seconds, self._minimum), self._maximum)
