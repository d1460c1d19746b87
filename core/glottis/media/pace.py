"""How often the wheel turns: in every slot while its turns are short, in every second one while they are not.

What a turn does costs less the more of it there is: receivers, caches and the core itself are woken once for all of it
(docs/design/wheel.md has the figures). What that costs is delay: what is read, and timeouts, wait up to 10 ms instead
of 5. So few calls are served in every slot, and many, for which time is scarce, in every second one.
"""

from typing import Final

MOST_SLOTS: Final = 2
REVIEW: Final = 1.0
"""Seconds over which turns are measured, and so between two changes at least."""
MUCH: Final = 0.15
"""From this share of the time on, spent in turns, the wheel turns in every second slot."""
LITTLE: Final = 0.07
"""Below it in every slot again. The same calls take up to a third less in turns twice as long: they must not go back
for that."""


class Pace:
    """Decides it, and nobody else does. ``slots`` is how many a turn serves."""

    def __init__(self) -> None:
        self.slots = 1
        self.changes = 0
        self._since = 0.0
        self._spent = 0.0

    def note(self, began: float, ended: float) -> None:
        """A turn has lasted from one moment to the other."""
        self._spent += ended - began
        elapsed = ended - self._since
        if elapsed < REVIEW:
            return
        share = self._spent / elapsed
        if share >= MUCH:
            self._set(MOST_SLOTS)
        elif share < LITTLE:
            self._set(1)
        self._since, self._spent = ended, 0.0

    def spend(self, seconds: float) -> None:
        """So much time was needed between two turns."""
        self._spent += seconds

    def _set(self, slots: int) -> None:
        self.changes += slots != self.slots
        self.slots = slots
