"""Messages that wait to be sent, and whose turn it is: streams share by priority (RFC 8831 §6.4)."""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

import msgspec

from glottis.sctp.limits import CHUNK_OVERHEAD

_COST_OF_A_MESSAGE: Final = 64
"""Bytes charged for each message besides its payload, so that small ones also count, when streams take turns."""

_MAX_EXPIRED: Final = 64
"""Messages that expired while they waited and are dropped at a time."""


class OutboundMessage(msgspec.Struct, eq=False):
    """A user message and how far it has been fragmented."""

    stream_id: int
    protocol_id: int
    data: bytes
    unordered: bool = False
    max_retransmits: int | None = None
    life_time: float | None = None
    """Seconds; counted from when the engine next learns the time."""
    expires_at: float | None = None
    stream_sequence: int = 0
    """Given with the first fragment."""
    first_tsn: int = 0
    """Of its first fragment that is not given up, unwrapped."""
    sent_at: float = 0.0
    """When the last of its fragments left, for the first time."""
    offset: int = 0
    """Where the part that is not sent yet begins."""
    is_abandoned: bool = False
    """Whether it is given up, though not yet all of its chunks."""

    def is_given_up(self, sent_count: int, now: float) -> bool:
        """Whether a chunk of it that was sent ``sent_count`` times is not to be sent again (RFC 3758 §3.5)."""
        if self.is_abandoned or (self.max_retransmits is not None and sent_count > self.max_retransmits):
            return True
        return self.expires_at is not None and now >= self.expires_at


class _Stream(msgspec.Struct):
    stream_id: int
    priority: int = 256
    messages: deque[OutboundMessage] = msgspec.field(default_factory=deque)
    buffered: int = 0
    low_threshold: int = 0
    next_sequence: int = 0
    virtual_time: float = 0.0
    """When its next message would start if the streams were served bit by bit, by weight."""


class SendQueue:
    """Queues per stream, served by weighted fair queueing of whole messages (they do not interleave)."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes queued and not yet put into a chunk."""
        self.drained: list[int] = []
        """Streams whose queue has fallen to its threshold; whoever reads clears it."""
        self.emptied: list[int] = []
        """Of the streams of ``tell_when_empty``, those that are; whoever reads clears it."""
        self.is_behind = False
        """Whether more expired messages are to be dropped than were dropped at a time."""
        self._streams: dict[int, _Stream] = {}
        self._message_count = 0
        self._ending: set[int] = set()
        """Streams that are to be told of once they are empty."""
        self._turns: list[tuple[float, int]] = []
        """Heap of the virtual time and identifier of each stream that may send."""
        self._has_turn: set[int] = set()
        """The streams in it, each once."""
        self._virtual_time = 0.0
        self._current: OutboundMessage | None = None
        self._undated: list[OutboundMessage] = []

    def configure(self, stream_id: int, *, priority: int, low_threshold: int) -> None:
        """Set a stream's weight, and at how many queued bytes it counts as drained."""
        stream = self._stream(stream_id)
        stream.priority, stream.low_threshold = max(priority, 1), low_threshold

    def push(self, message: OutboundMessage) -> None:
        """Queue ``message`` on its stream."""
        stream = self._stream(message.stream_id)
        if not stream.messages:
            self._take_turn(stream)
        stream.messages.append(message)
        self._message_count += 1
        stream.buffered += len(message.data)
        self.size += len(message.data)
        if message.life_time is not None:
            self._undated.append(message)

    def date_messages(self, now: float) -> None:
        """Life times of messages queued since the last call begin ``now``; called before messages are sent."""
        self.is_behind = False
        for message in self._undated:
            message.expires_at = now + (message.life_time or 0.0)
        self._undated.clear()

    def next_message(self, now: float) -> OutboundMessage | None:
        """The message that the next fragment is cut from; expired ones that were never sent are dropped."""
        for _ in range(_MAX_EXPIRED):
            message = self._current or self._next_turn()
            if message is None or message.offset or not message.is_given_up(0, now):
                return message
            self.finish(message)
        self.is_behind = bool(self._turns)
        return None

    @property
    def begun(self) -> OutboundMessage | None:
        """The message of which a part is sent and a part is not."""
        return self._current if self._current is not None and self._current.offset else None

    def cut(self, message: OutboundMessage, size: int) -> bytes:
        """The next ``size`` bytes of the current message; its stream sequence number is given with the first."""
        stream = self._streams[message.stream_id]
        if message.offset == 0 and not message.unordered:
            message.stream_sequence = stream.next_sequence & 0xFFFF
            stream.next_sequence += 1
        start = message.offset
        message.offset = start + size
        self._unbuffer(stream, size)
        if message.offset == len(message.data):
            self._end_turn(stream, message)
        return message.data if size == len(message.data) else message.data[start : start + size]

    @property
    def is_all_sent(self) -> bool:
        """Whether no message waits, whole or in part."""
        return not self._message_count

    @property
    def held(self) -> int:
        """Bytes of memory that are charged for what is queued."""
        return self.size + self._message_count * CHUNK_OVERHEAD

    def finish(self, message: OutboundMessage) -> bool:
        """Forget what is left of a message that was given up; whether anything was."""
        if message is not self._current:
            return False
        stream = self._streams[message.stream_id]
        self._unbuffer(stream, len(message.data) - message.offset)
        self._end_turn(stream, message)
        return True

    def buffered(self, stream_id: int) -> int:
        """Bytes queued on a stream."""
        stream = self._streams.get(stream_id)
        return stream.buffered if stream is not None else 0

    def of_stream(self, stream_id: int) -> tuple[OutboundMessage, ...]:
        """What is queued on a stream."""
        stream = self._streams.get(stream_id)
        return tuple(stream.messages) if stream is not None else ()

    def discard(self, stream_id: int) -> None:
        """Forget the messages of a stream that are not yet begun."""
        stream = self._stream(stream_id)
        begun = self._current if self._current is not None and self._current.stream_id == stream_id else None
        kept, unsent = ([begun], len(begun.data) - begun.offset) if begun is not None else ([], 0)
        self._message_count -= len(stream.messages) - len(kept)
        self.size -= stream.buffered - unsent
        stream.messages, stream.buffered = deque(kept), unsent
        self._note_if_empty(stream)

    def tell_when_empty(self, stream_id: int) -> None:
        """List the stream in ``emptied`` once nothing is queued on it."""
        self._ending.add(stream_id)
        self._note_if_empty(self._stream(stream_id))

    def reset(self, stream_id: int) -> None:
        """Start a stream on which nothing is queued anew: its sequence numbers begin at 0 again."""
        stream = self._streams.pop(stream_id, None)
        assert stream is None or not stream.messages

    def start_over(self, again: Sequence[OutboundMessage]) -> None:
        """All streams begin anew with ``again``, messages of which all or a part was cut, in that order; no stream is
        awaited to be empty any more.
        """
        begun, self._current = self._current, None
        self._ending.clear()
        self.emptied.clear()
        for stream in self._streams.values():
            stream.next_sequence = 0
        if begun is not None:
            self._rewind(begun)
        for message in reversed(again):
            if message is not begun:
                self._stream(message.stream_id).messages.appendleft(message)
                self._message_count += 1
                self._rewind(message)

    def _rewind(self, message: OutboundMessage) -> None:
        stream = self._stream(message.stream_id)
        stream.buffered += message.offset
        self.size += message.offset
        message.offset = 0
        self._take_turn(stream)

    def _stream(self, stream_id: int) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _Stream(stream_id)
        return stream

    def _take_turn(self, stream: _Stream) -> None:
        stream.virtual_time = max(stream.virtual_time, self._virtual_time)
        if stream.stream_id not in self._has_turn:  # of a stream whose messages were discarded, the turn is still there
            self._has_turn.add(stream.stream_id)
            heappush(self._turns, (stream.virtual_time, stream.stream_id))

    def _next_turn(self) -> OutboundMessage | None:
        """The first message of the stream whose turn it is."""
        while self._turns:
            self._virtual_time, stream_id = heappop(self._turns)
            self._has_turn.discard(stream_id)
            stream = self._streams.get(stream_id)
            if stream is not None and stream.messages:
                self._current = stream.messages[0]
                return self._current
        return None

    def _end_turn(self, stream: _Stream, message: OutboundMessage) -> None:
        self._current = None
        stream.messages.popleft()
        self._message_count -= 1
        stream.virtual_time = self._virtual_time + (len(message.data) + _COST_OF_A_MESSAGE) / stream.priority
        if stream.messages:
            self._take_turn(stream)
        elif self._ending:
            self._note_if_empty(stream)

    def _note_if_empty(self, stream: _Stream) -> None:
        if not stream.messages and stream.stream_id in self._ending:
            self._ending.discard(stream.stream_id)
            self.emptied.append(stream.stream_id)

    def _unbuffer(self, stream: _Stream, size: int) -> None:
        before = stream.buffered
        stream.buffered -= size
        self.size -= size
        if before > stream.low_threshold >= stream.buffered:
            self.drained.append(stream.stream_id)
