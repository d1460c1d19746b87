"""Data channels that a client is to open again by another peer connection, and what is still to be sent by them."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from glottis.sctp import LeftOver

PATIENCE: Final = 3.0
"""Seconds that what the agent sends waits for its channel, so that it stays behind what was sent before: longer than a
client needs to open one, with a packet lost. Then it goes by the way that there is."""


class Reopening:
    """``left`` is of the channels that there were, the oldest first; each is for a new one of the same label."""

    __slots__ = ("_deadline", "_default", "left")

    def __init__(self, left: Sequence[LeftOver], now: float) -> None:
        self.left = list(left)
        self._default = self.left[0]
        self._deadline = now + PATIENCE

    def __bool__(self) -> bool:
        return bool(self.left)

    def is_awaited(self, label: str | None, now: float) -> bool:
        """Whether what is sent by this label, or by the default channel, is to wait; until ``deadline``."""
        return now < self._deadline and any(label in (None, one.label) or one is self._default for one in self.left)

    @property
    def deadline(self) -> float:
        """When nobody is to wait any more."""
        return self._deadline

    def take_all(self, *, texts_only: bool) -> Sequence[str | bytes]:
        """Whatever was sent; where bytes cannot be, they stay."""
        everything = [(one, each) for one in self.left for each in one.messages]
        stays = [(one, each) for one, each in everything if texts_only and isinstance(each, bytes)]
        self.left = [replace(one, messages=(each,)) for one, each in stays]
        return [each for one, each in everything if isinstance(each, str) or not texts_only]

    def take(self, label: str) -> LeftOver | None:
        """What is for a channel that has opened."""
        found = next((one for one in self.left if one.label == label), None)
        if found is not None:
            self.left.remove(found)
        return found
