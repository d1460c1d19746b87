"""Messages that come before the channel that they are for, and wait for it."""

from collections import deque
from collections.abc import Iterator

from glottis.contracts.short_queue import ShortQueue
from glottis.sctp.association import SctpAssociation
from glottis.sctp.events import IncomingStreamsReset, MessageReceived


class EarlyMessages:
    """What waits, by stream and in order. It counts in the receive window: that is its bound."""

    def __init__(self, association: SctpAssociation) -> None:
        self._association = association
        self._waiting: dict[int, deque[MessageReceived | IncomingStreamsReset]] = {}
        self._deadlines: dict[int, float] = {}
        """When the wait on a stream is over. All wait equally long, so the first to begin is the first to end."""
        self._ready: ShortQueue[tuple[int, deque[MessageReceived | IncomingStreamsReset]]] = ShortQueue()
        """Streams that have been released, and what is left of what waited there."""

    def __contains__(self, stream_id: object) -> bool:
        """Whether something waits on this stream."""
        return stream_id in self._waiting

    def __iter__(self) -> Iterator[int]:
        return iter(self._waiting)

    def keep(self, message: MessageReceived, deadline: float) -> None:
        """Let ``message`` wait for an OPEN, behind the others of its stream; the first one's deadline counts."""
        if message.stream_id not in self._waiting:
            self._waiting[message.stream_id] = deque()
            self._deadlines[message.stream_id] = deadline
        self._waiting[message.stream_id].append(message)
        self._association.keep(message)

    def hold_back(self, message: MessageReceived) -> None:
        """Let ``message``, and what was released with it but is not taken yet, wait for the next release."""
        stream_id, rest = message.stream_id, deque[MessageReceived | IncomingStreamsReset]()
        if self._ready and self._ready[0][0] == stream_id:
            _, rest = self._ready.popleft()
        rest.appendleft(message)
        if stream_id in self._waiting:
            self._waiting[stream_id].extend(rest)
        else:
            self._waiting[stream_id] = rest
        self._association.keep(message)

    def keep_reset(self, stream_id: int) -> None:
        """The peer has reset the stream again, after what waits there already."""
        waiting = self._waiting[stream_id]
        if isinstance(waiting[-1], MessageReceived):
            waiting.append(IncomingStreamsReset((stream_id,)))

    def release(self, stream_id: int) -> None:
        """What waits on this stream has its turn, before all that comes later."""
        self._deadlines.pop(stream_id, None)
        if stream_id in self._waiting:
            self._ready.insert(0, (stream_id, self._waiting.pop(stream_id)))

    def next_ready(self) -> MessageReceived | IncomingStreamsReset | None:
        """The next one of those that have been released."""
        while self._ready:
            if waiting := self._ready[0][1]:
                event = waiting.popleft()
                if isinstance(event, MessageReceived):
                    self._association.release(event)
                return event
            self._ready.popleft()
        return None

    def drop(self, stream_id: int) -> None:
        """Nobody will ever want what waits on this stream."""
        self._deadlines.pop(stream_id, None)
        waiting = self._waiting.pop(stream_id, ())
        self._association.release(*[event for event in waiting if isinstance(event, MessageReceived)])

    def clear(self) -> None:
        """The association has ended."""
        self._waiting.clear()
        self._ready.clear()
        self._deadlines.clear()

    def overdue(self, now: float, count: int) -> list[int]:
        """The first streams on which the wait is over, at most ``count``."""
        first = [stream_id for stream_id, _ in zip(self._deadlines, range(count), strict=False)]
        return [stream_id for stream_id in first if self._deadlines[stream_id] <= now]

    def next_deadline(self) -> float | None:
        """When the next wait is over."""
        return next(iter(self._deadlines.values()), None)
