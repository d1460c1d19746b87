"""Keeps the keys of a source, and looks for newer ones beside those who ask."""

import logging
import math
from collections.abc import Sequence
from typing import Final

import trio

from glottis_auth_jwt.keys import KeyRing, VerificationKey, read_key_set
from glottis_auth_jwt.sources import Source

logger = logging.getLogger(__name__)

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
        self._pause = 0.0
        self._next_at = -math.inf
        self._loading = trio.Lock()
        self._is_refreshing = False

    async def find(self, kid: object, algorithm: object) -> VerificationKey | None:
        """See ``KeyRing.find``. Waits only where there is nothing yet, or nothing by this ``kid``."""
        if self._age >= self._cache + self._keep:
            self._ring = KeyRing()
        elif self._age >= self._cache:
            self._refresh_beside()
        found = self._ring.find(kid, algorithm)
        if found is None and self._age >= ROTATION_PAUSE:
            await self._load(self._loaded_at)
            found = self._ring.find(kid, algorithm)
        return found

    @property
    def _age(self) -> float:
        return trio.current_time() - self._loaded_at

    def _refresh_beside(self) -> None:
        """In a task that nobody waits for; it is over after the timeout, whatever happens."""
        if not self._is_refreshing:
            self._is_refreshing = True
            trio.lowlevel.spawn_system_task(self._refresh)

    async def _refresh(self) -> None:
        try:
            await self._load(self._loaded_at)
        finally:
            self._is_refreshing = False

    async def _load(self, seen: float) -> None:
        """Load what is newer than what was ``seen``: who comes meanwhile has the same answer."""
        async with self._loading:
            if self._loaded_at != seen or trio.current_time() < self._next_at:
                return
            try:
                with trio.fail_after(self._timeout):
                    document = await self._source()
                keys = read_key_set(document)
            except trio.TooSlowError:
                self._failed(f"no answer in {self._timeout:g} s")
            except ValueError as error:
                self._failed(str(error))
            except Exception as error:  # in a task of nobody's: it must not end the gateway
                self._failed(type(error).__name__)
            else:
                self._took(keys)

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
        self._next_at = trio.current_time() + self._pause
