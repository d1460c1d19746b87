"""The messages that wait for an agent: who sends faster than it reads is held back, not cut short."""

import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import trio

from glottis.calls.streams import DroppingStream
from glottis.calls.typed_messages import message_of
from glottis.contracts.call import BytesMessage, Message, TextMessage, TypedMessage

MAX_MESSAGES: Final = 1024
"""Messages waiting for the agent; an agent that does not read them loses the oldest."""
MAX_SIZE: Final = 4 * 1024 * 1024
"""Bytes of memory that they may take in all: a thousand messages can be a quarter of a gigabyte."""
MESSAGES_AHEAD: Final = 32
SIZE_AHEAD: Final = 1024 * 1024
"""While so many messages or bytes wait for an agent that does read them, further ones are held back."""


class Inbox(DroppingStream[Message]):
    """Bounded in number and in size; ``caught_up`` is called when the agent is no longer behind.

    Text waits as it came: whether it is a typed message is seen when the agent takes it, and then others have their
    turn before the next.
    """

    def __init__(self, caught_up: Callable[[], None]) -> None:
        super().__init__(MAX_MESSAGES)
        self._caught_up = caught_up
        self._size = 0

    @property
    def fill(self) -> "Fill":
        """How much waits."""
        return Fill(len(self), self._size)

    @property
    def is_behind(self) -> bool:
        """Whether the agent reads its messages, but not as fast as they come: then their sender is to wait.

        An agent that never reads any must not keep its client from other things.
        """
        return self.is_read and self.fill.is_much

    def has_room_for(self, item: Message) -> bool:
        """Whether no older one is dropped for it."""
        return self.fill.has_room_for(item)

    def push(self, item: Message) -> None:
        """Append ``item``, in place of older ones if there is no room, and wake the reader."""
        if isinstance(item, TypedMessage):
            item = TextMessage(item.text, item.channel)
        self._size += size_of(item)
        while self._size > MAX_SIZE and len(self):
            self._drop()
        super().push(item)

    async def __anext__(self) -> Message:
        if len(self):
            await trio.lowlevel.checkpoint()
        was_ahead = self.fill.is_some
        item = await super().__anext__()
        if was_ahead and not self.fill.is_some:
            self._caught_up()
        return message_of(item.text, item.channel) if isinstance(item, TextMessage) else item

    def _take(self) -> Message:
        item = super()._take()
        self._size -= size_of(item)
        return item


class Fill(NamedTuple):
    """How many messages wait, and how many bytes of memory they take."""

    messages: int
    size: int

    @property
    def is_much(self) -> bool:
        """As much as makes senders wait."""
        return self.messages >= MESSAGES_AHEAD or self.size >= SIZE_AHEAD

    @property
    def is_some(self) -> bool:
        """More than half as much: so they do not begin and stop at each message."""
        return 2 * self.messages > MESSAGES_AHEAD or 2 * self.size > SIZE_AHEAD

    def has_room_for(self, message: Message) -> bool:
        """Whether no older one is dropped for it."""
        return self.messages < MAX_MESSAGES and self.size + size_of(message) <= MAX_SIZE


def size_of(message: Message) -> int:
    """In memory: a text takes one, two or four bytes a character."""
    return sys.getsizeof(message.data if isinstance(message, BytesMessage) else message.text) + _OVERHEAD


_OVERHEAD: Final = sys.getsizeof(TextMessage(""))
