"""How often each client may do something. Time is an argument."""

from collections import OrderedDict
from typing import Final, Protocol

from glottis.server.http.clients import client_key
from glottis.wire.token_bucket import TokenBucket

MAX_CLIENTS: Final = 10_000
"""Clients remembered by a limiter; the one seen longest ago is forgotten first (about 2 MB in all)."""


class Limiter(Protocol):
    """Who counts requests may be elsewhere."""

    async def ask(self, client_host: str, now: float) -> float:
        """See ``RateLimiter.take``."""


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

    async def ask(self, client_host: str, now: float) -> float:
        """See ``Limiter``: here nobody has to be waited for."""
        return self.take(client_host, now)
