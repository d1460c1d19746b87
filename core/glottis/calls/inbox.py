"""The messages that wait for an agent: who sends faster than it reads is held back, not cut short."""

from collections.abc import Callable

from glottis.calls.streams import DroppingStream
from glottis.contracts.call import BytesMessage, Message

MAX_MESSAGES = 1024
"""Messages waiting for the agent; an agent that does not read them loses the oldest."""
MAX_SIZE = 16 * 1024 * 1024
"""Their characters and bytes in all: a thousand messages can be a quarter of a gigabyte."""
MESSAGES_AHEAD = 32
"""While so many wait for an agent that does read them, further ones are held back: 8 MiB at most by data channel."""


class Inbox(DroppingStream[Message]):
    """Bounded in number and in size; ``caught_up`` is called when the agent is no longer behind."""

    def __init__(self, caught_up: Callable[[], None]) -> None:
        super().__init__(MAX_MESSAGES)
        self._caught_up = caught_up
        self._size = 0

    @property
    def is_behind(self) -> bool:
        """Whether the agent reads its messages, but not as fast as they come: then their sender is to wait.

        An agent that never reads any must not keep its client from other things.
        """
        return self.is_read and len(self) >= MESSAGES_AHEAD

    @property
    def is_full(self) -> bool:
        """Whether the next message drops the oldest."""
        return len(self) >= MAX_MESSAGES or self._size >= MAX_SIZE

    def push(self, item: Message) -> None:
        """Append ``item``, in place of older ones if there is no room, and wake the reader."""
        self._size += _size(item)
        while self._size > MAX_SIZE and len(self):
            self._drop()
        super().push(item)

    def _take(self) -> Message:
        item = super()._take()
        self._size -= _size(item)
        return item

    def _taken(self) -> None:
        if len(self) == MESSAGES_AHEAD // 2:
            self._caught_up()


def _size(message: Message) -> int:
    return len(message.data if isinstance(message, BytesMessage) else message.text)
