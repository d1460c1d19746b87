"""Round trips, measured by what comes back of a report's NTP time: RFC 3550 §6.4.1, RFC 3611 §4.5."""

from collections.abc import Callable
from typing import Final

MAX_REMEMBERED: Final = 16
"""Reports of ours, forty seconds of them, which the peer may refer to."""
MAX_ROUND_TRIP: Final = 60.0
"""Seconds; more than this is a peer's wrong arithmetic, and so are negative times."""
FRACTION: Final = 65536
"""Short times are in units of 1/65536 seconds, RFC 3550 §6.4.1."""

_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""


class RoundTrips:
    """Of one kind of report. ``wallclock_offset`` is that of ``RtcpSession``."""

    __slots__ = ("_sent_at", "_wallclock_offset", "latest", "measurements", "total")

    def __init__(self, wallclock_offset: Callable[[], float]) -> None:
        self.latest: float | None = None
        """Seconds."""
        self.total = 0.0
        self.measurements = 0
        self._wallclock_offset = wallclock_offset
        self._sent_at: dict[int, float] = {}
        """When our reports left, by the middle of their NTP time."""

    def date(self, now: float) -> int:
        """The NTP time of a report that leaves now, by which the peer will refer to it."""
        ntp_time = int((now + self._wallclock_offset() + _NTP_EPOCH) * 2**32) & 0xFFFFFFFFFFFFFFFF
        self._sent_at[middle(ntp_time)] = now
        if len(self._sent_at) > MAX_REMEMBERED:
            del self._sent_at[next(iter(self._sent_at))]
        return ntp_time

    def measure(self, reference: int, delay: int, now: float) -> None:
        """Now, less when we sent the report, less how long the peer kept it (RFC 3550 figure 2)."""
        sent_at = self._sent_at.get(reference)
        if sent_at is None:
            return
        round_trip_time = now - sent_at - delay / FRACTION
        if not -1 / FRACTION <= round_trip_time <= MAX_ROUND_TRIP:  # the peer's time is rounded
            return
        self.latest = max(0.0, round_trip_time)
        self.total += self.latest
        self.measurements += 1


def middle(ntp_time: int) -> int:
    """The 32 bits of it that are referred to, RFC 3550 §4."""
    return ntp_time >> 16 & 0xFFFFFFFF


def elapsed(since: float, now: float) -> int:
    """A delay as reports carry it."""
    return min(0xFFFFFFFF, max(0, round((now - since) * FRACTION)))


def unix_time(ntp_time: int) -> float:
    """Seconds since 1970."""
    return ntp_time / 2**32 - _NTP_EPOCH
