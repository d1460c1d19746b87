"""The gateway's view of the messages that wait for an agent in a worker, or are on their way to it."""

from collections import deque
from collections.abc import Callable

from glottis.calls.inbox import Fill, size_of
from glottis.contracts.call import Message
from glottis.isolation import messages


class RemoteBacklog:
    """A ``Backlog``; ``caught_up`` is called when the agent is no longer behind."""

    def __init__(self, caught_up: Callable[[], None]) -> None:
        self.is_read = False
        self.dropped = 0
        """Those that there was no room for in the pipe."""
        self._caught_up = caught_up
        self._on_their_way: deque[int] = deque()
        """The size of each."""
        self._size_on_their_way = 0
        self._received = 0
        self._waiting = Fill(0, 0)
        """There."""

    @property
    def fill(self) -> Fill:
        """How much waits, wherever it is."""
        return Fill(self._waiting.messages + len(self._on_their_way), self._waiting.size + self._size_on_their_way)

    @property
    def is_behind(self) -> bool:
        """See ``Inbox.is_behind``."""
        return self.is_read and self.fill.is_much

    def has_room_for(self, item: Message) -> bool:
        """See ``Inbox.has_room_for``."""
        return self.fill.has_room_for(item)

    def leaves(self, message: Message) -> bool:
        """It is to be sent; false if there is no room, for the worker has taken nothing for long."""
        if not Fill(len(self._on_their_way), self._size_on_their_way).has_room_for(message):
            self.dropped += 1
            return False
        self._on_their_way.append(size_of(message))
        self._size_on_their_way += size_of(message)
        return True

    def update(self, told: messages.Waiting) -> None:
        """The worker has received some, or the agent has read some."""
        was_some = self.fill.is_some
        while self._on_their_way and self._received < told.received:
            self._size_on_their_way -= self._on_their_way.popleft()
            self._received += 1
        self._waiting = Fill(told.count, told.size)
        self.is_read = told.is_read
        if was_some and not self.fill.is_some:
            self._caught_up()
