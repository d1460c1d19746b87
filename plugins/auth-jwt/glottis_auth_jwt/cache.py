"""Keeps the keys of a source, and renews them in the background, ahead of those who ask."""

import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from glottis_auth_jwt.keys import KeyRing, VerificationKey, read_key_set
from glottis_auth_jwt.sources import Source

logger = logging.getLogger(__name__)

AHEAD: Final = 0.8
"""Of the time for which keys are good: then they are renewed."""
ROTATION_PAUSE: Final = 10.0
"""Seconds between two looks for a ``kid`` that is not there: anybody can invent one."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds in which a source that has failed is not asked; they double with each failure."""


class CachedKeys:
    """Finds keys; never raises for what the source does. The log calls it by its ``place``; times are seconds."""

    def __init__(self, source: Source, place: str, *, timeout: float, cache: float, keep: float) -> None:
        self._source = source
        self._place = place
        self._timeout = timeout
        self._cache = cache
        self._keep = keep
        self._ring = KeyRing()
        self._loaded_at = -math.inf
        self._looked_at = -math.inf
        """When the source was asked last, whatever came of it."""
        self._pause = 0.0
        """For which a source that has failed is left alone; 0 if it has not."""
        self._loading = trio.Lock()

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """The first keys are there on entering, unless they cannot be had; within this block they are renewed."""
        await self._load(self._looked_at)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._renew)
            yield
            nursery.cancel_scope.cancel()

    async def find(self, kid: object, algorithm: object) -> VerificationKey | None:
        """See ``KeyRing.find``. Waits only where nothing is known by this ``kid``, and the source may be asked."""
        if self._has_expired:
            self._ring = KeyRing()
        found = self._ring.find(kid, algorithm)
        pause = self._pause if self._has_expired else max(self._pause, ROTATION_PAUSE)
        if found is None and trio.current_time() - self._looked_at >= pause:
            await self._load(self._looked_at)
            found = self._ring.find(kid, algorithm)
        return found

    @property
    def _has_expired(self) -> bool:
        """Whether there are none, or none that may still serve."""
        return trio.current_time() - self._loaded_at >= self._cache + self._keep

    async def _renew(self) -> None:
        while True:
            due = self._looked_at + self._pause if self._pause else self._loaded_at + AHEAD * self._cache
            await trio.sleep_until(due)
            await self._load(self._looked_at)

    async def _load(self, seen: float) -> None:
        """Ask the source, unless somebody has since the look that was ``seen``: who comes meanwhile has that answer."""
        async with self._loading:
            if self._looked_at != seen:
                return
            try:
                with trio.fail_after(self._timeout):
                    document = await self._source()
                keys = read_key_set(document)
            except trio.TooSlowError:
                self._failed(f"no answer in {self._timeout:g} s")
            except ValueError as error:
                self._failed(str(error))
            except Exception as error:  # which is to end neither a request nor the renewal
                self._failed(type(error).__name__)
            else:
                self._took(keys)
            finally:
                self._looked_at = trio.current_time()

    def _took(self, keys: Sequence[VerificationKey]) -> None:
        if self._pause:
            logger.info("keys of %s: they can be had again", self._place)
        self._ring = KeyRing(keys)
        self._loaded_at = trio.current_time()
        self._pause = 0.0

    def _failed(self, reason: str) -> None:
        if not self._pause:
            logger.warning("keys of %s cannot be had: %s", self._place, reason)
        self._pause = min(2 * self._pause, LONGEST_PAUSE) or FIRST_PAUSE
