"""Pauses that grow, so that many devices do not fall upon a gateway that comes back."""

import random

from glottis.client.connection import CallFailed

MAX_RETRY_AFTER = 3600.0
"""Seconds of a gateway's ``Retry-After`` that are believed."""


class BackOff:
    """Each pause is up to twice the one before, and half of it is left to chance."""

    def __init__(self, first: float, longest: float, rng: random.Random) -> None:
        self._first = first
        self._longest = longest
        self._rng = rng
        self._ceiling = first

    def reset(self) -> None:
        """All is well again."""
        self._ceiling = self._first

    def next_pause(self, failure: BaseException | None = None) -> float:
        """Seconds; not before the gateway wants to be asked again, where it has said so."""
        pause = self._ceiling * self._rng.uniform(0.5, 1.0)
        self._ceiling = min(2 * self._ceiling, self._longest)
        asked = failure.retry_after if isinstance(failure, CallFailed) else None
        return pause if asked is None else pause + min(asked, MAX_RETRY_AFTER)
