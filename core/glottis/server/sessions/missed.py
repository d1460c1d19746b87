"""What a client misses while its socket is lost, kept for its return."""

from typing import Final

from glottis.contracts.events import StatisticsReported
from glottis.contracts.short_queue import ShortQueue
from glottis.signaling.messages import Event, SignalingMessage, Text, encode_message

MAX_MISSED_MESSAGES: Final = 100
MAX_MISSED_BYTES: Final = 256 * 1024
"""Less than half of what the queue of a socket takes, whose overflow would end it."""


class MissedMessages:
    """Texts and events in order. Beyond either bound the oldest are dropped; ``dropped`` counts them.

    Answers and candidates are of no use any more, and of statistics only the next ones are.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._kept: ShortQueue[tuple[SignalingMessage, int]] = ShortQueue()
        self._size = 0

    def keep(self, message: SignalingMessage) -> None:
        """Raises ``LocalError`` if JSON cannot say it."""
        size = len(encode_message(message).encode())
        if not isinstance(message, Text | Event) or getattr(message, "name", "") == StatisticsReported.name:
            return
        self._kept.append((message, size))
        self._size += size
        while len(self._kept) > MAX_MISSED_MESSAGES or self._size > MAX_MISSED_BYTES:
            self._size -= self._kept.popleft()[1]
            self.dropped += 1

    def take(self) -> list[SignalingMessage]:
        """All, which are kept no longer."""
        kept, self._kept, self._size = self._kept, ShortQueue(), 0
        return [message for message, _ in kept]
