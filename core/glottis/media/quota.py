"""How much of what comes by data channels is told at a time."""

from typing import Final

from glottis.media.ring import SLOT
from glottis.peer import PeerConnectionEvent
from glottis.sctp import BytesReceived, TextReceived

MESSAGES_PER_SLOT: Final = 16
"""Of one call, each with up to ``FREE_SIZE`` characters or bytes: about a millisecond's work."""
FREE_SIZE: Final = 2048
"""A longer message counts as several."""


class MessageQuota:
    """What is beyond it waits for the length of a slot, in the association, whose window holds the peer back."""

    def __init__(self) -> None:
        self.renewed_at = 0.0
        self._used = 0

    def is_left(self, now: float) -> bool:
        """Whether another message may be told now, or only when the quota is renewed."""
        if now >= self.renewed_at:
            self.renewed_at = now + SLOT
            self._used = 0
        return self._used < MESSAGES_PER_SLOT

    def count(self, event: PeerConnectionEvent | None) -> None:
        """This is told."""
        match event:
            case TextReceived(text=content) | BytesReceived(data=content):
                self._used += 1 + len(content) // FREE_SIZE
