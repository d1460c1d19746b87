"""Token buckets: how often something may happen. Time is an argument."""


class TokenBucket:
    """Holds up to ``burst`` tokens and gains ``rate`` of them a second."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated_at")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated_at = now

    def take(self, now: float) -> float:
        """Take one token; 0 if there was one, else the seconds until there will be one."""
        self._gain(now)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def borrow(self, now: float) -> float:
        """Take one token whether or not there is one; returns the seconds after which it would have been there."""
        self._gain(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def _gain(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._updated_at) * self._rate)
        self._updated_at = now
