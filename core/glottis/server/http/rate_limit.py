"""Token buckets: how often somebody may do something. Time is an argument."""

from collections import OrderedDict
from typing import Final

from glottis.server.http.clients import client_key

MAX_CLIENTS: Final = 10_000
"""Clients remembered by a limiter; the one seen longest ago is forgotten first (about 2 MB in all)."""


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
        self._tokens = min(self._burst, self._tokens + (now - self._updated_at) * self._rate)
        self._updated_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class RateLimiter:
    """A bucket for each client, as ``client_key`` tells them apart."""

    def __init__(self, *, per_minute: float, burst: float, max_clients: int = MAX_CLIENTS) -> None:
        self._rate = per_minute / 60
        self._burst = burst
        self._max_clients = max_clients
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, client_host: str, now: float) -> float:
        """Count one request of this client; 0 if it may, else the seconds after which it may."""
        client = client_key(client_host)
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > self._max_clients:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        return bucket.take(now)
