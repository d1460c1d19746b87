"""Fragments become messages, and messages come in the order of their stream (RFC 9260 §6.5, §6.6, §6.9)."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Collection, Mapping
from operator import attrgetter

import msgspec

from glottis.contracts.errors import Malformed
from glottis.sctp.events import MessageReceived
from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.sctp.serial import SSN_MASK, unwrap_ssn
from glottis.wire.sctp import FIRST_FRAGMENT, LAST_FRAGMENT, UNORDERED, WHOLE_MESSAGE, DataFields


class _Run(msgspec.Struct):
    """Fragments of one message with consecutive TSNs."""

    first_tsn: int
    last_tsn: int
    fields: DataFields
    flags: int
    """FIRST_FRAGMENT and LAST_FRAGMENT as far as they have been seen, and UNORDERED."""
    parts: list[bytes]
    size: int
    charge: int
    """Bytes of memory that are charged for it."""

    def is_followed_by_untrusted(self, flags: int, fields: DataFields) -> bool:
        """Whether what comes next continues the same message; ``Malformed`` if it lies about that."""
        if self.flags & LAST_FRAGMENT or flags & FIRST_FRAGMENT:
            return False
        if (self.flags ^ flags) & UNORDERED or self.fields[1:3] != fields[1:3]:
            raise Malformed("the fragments of a message disagree about their stream")
        return True

    def append(self, tsn: int, flags: int, payload: bytes) -> None:
        self.last_tsn = tsn
        self.flags |= flags
        self.parts.append(payload)
        self.size += len(payload)
        self.charge += len(payload) + CHUNK_OVERHEAD

    def join(self, after: "_Run") -> None:
        """Take in what comes after; the shorter list of parts moves, so that no order of arrival makes this dear."""
        if len(after.parts) > len(self.parts):
            after.parts[:0] = self.parts
            self.parts = after.parts
        else:
            self.parts.extend(after.parts)
        self.last_tsn = after.last_tsn
        self.flags |= after.flags
        self.size += after.size
        self.charge += after.charge


class Reassembly:
    """Joins fragments; a message's fragments have consecutive TSNs, so runs of them are all there is to keep."""

    def __init__(self, max_message_size: int) -> None:
        self.held = 0
        """Bytes kept, ``CHUNK_OVERHEAD`` included."""
        self._max_message_size = max_message_size
        self._by_first: dict[int, _Run] = {}
        self._by_last: dict[int, _Run] = {}
        self._firsts: list[int] = []
        """The keys of ``_by_first``, ascending."""

    def add_untrusted(self, tsn: int, flags: int, fields: DataFields, payload: bytes) -> MessageReceived | None:
        """Take a fragment; the message that it completes, or None.

        Raises ``Malformed`` if fragments disagree or the message is longer than the maximum.
        """
        self.held += len(payload) + CHUNK_OVERHEAD
        run, after = self._run_with_untrusted(tsn, flags, fields, payload), self._by_first.get(tsn + 1)
        if after is not None and run.is_followed_by_untrusted(after.flags, after.fields):
            del self._by_last[after.last_tsn]
            self._forget_first(after.first_tsn)
            run.join(after)
        if run.size > self._max_message_size:
            raise Malformed("a message is longer than the maximum that was offered")
        if run.flags & WHOLE_MESSAGE != WHOLE_MESSAGE:
            self._by_last[run.last_tsn] = run
            return None
        self._forget_first(run.first_tsn)
        self.held -= run.charge
        _, stream_id, _, protocol_id = run.fields
        return MessageReceived(stream_id, protocol_id, b"".join(run.parts))

    def drop_up_to(self, tsn: int) -> None:
        """The peer has given up what begins at or before ``tsn``."""
        count = bisect_right(self._firsts, tsn)
        dropped = list(map(self._by_first.pop, self._firsts[:count]))
        del self._firsts[:count]
        deque(map(self._by_last.pop, map(attrgetter("last_tsn"), dropped)), maxlen=0)
        self.held -= sum(map(attrgetter("charge"), dropped))

    def _run_with_untrusted(self, tsn: int, flags: int, fields: DataFields, payload: bytes) -> _Run:
        """The run that the fragment continues, or one of its own; it is yet to be found by its last TSN."""
        run = self._by_last.get(tsn - 1)
        if run is not None and run.is_followed_by_untrusted(flags, fields):
            del self._by_last[tsn - 1]
            run.append(tsn, flags, payload)
            return run
        run = self._by_first[tsn] = _Run(
            tsn, tsn, fields, flags, [payload], len(payload), len(payload) + CHUNK_OVERHEAD
        )
        insort(self._firsts, tsn)
        return run

    def _forget_first(self, tsn: int) -> None:
        del self._by_first[tsn], self._firsts[bisect_left(self._firsts, tsn)]


class _Stream(msgspec.Struct):
    next_sequence: int = 0
    waiting: dict[int, MessageReceived] = msgspec.field(default_factory=dict)
    in_order: list[int] = msgspec.field(default_factory=list)
    """The sequence numbers in ``waiting``, ascending."""


class InboundStreams:
    """Gives each stream's ordered messages in the order of their stream sequence numbers."""

    def __init__(self) -> None:
        self.held = 0
        """Bytes of memory that are charged for messages that wait for their turn or to be taken by the owner."""
        self._streams: dict[int, _Stream] = {}

    def take(self, sequence: int, message: MessageReceived) -> list[MessageReceived]:
        """The messages that can be delivered now that ``message`` is here."""
        stream = self._streams.get(message.stream_id)
        if stream is None:
            stream = self._streams[message.stream_id] = _Stream()
        if sequence != stream.next_sequence & 0xFFFF:
            self._wait(stream, unwrap_ssn(sequence, stream.next_sequence), message)
            return []
        self.keep(message)
        stream.next_sequence += 1
        return [message, *_release(stream)] if stream.in_order else [message]

    def skip(self, skipped: Mapping[int, int]) -> list[MessageReceived]:
        """The peer has given up each stream's messages up to a sequence number; what can be delivered now.

        See RFC 3758 §3.6.
        """
        released: list[MessageReceived] = []
        streams, half = self._streams, SSN_MASK // 2
        for stream_id, sequence in skipped.items():
            stream = streams.get(stream_id)
            if stream is None:
                stream = streams[stream_id] = _Stream()
            ahead = (sequence - stream.next_sequence) & SSN_MASK
            if ahead <= half:
                stream.next_sequence += ahead + 1
                if stream.in_order:
                    released += _release(stream)
        return released

    def keep(self, message: MessageReceived) -> None:
        """Charge for a message that waits to be taken."""
        self.held += len(message.data) + CHUNK_OVERHEAD

    def taken(self, messages: Collection[MessageReceived]) -> None:
        """The owner took these; as many as there are places may be dropped at once."""
        self.held -= sum(map(len, map(attrgetter("data"), messages))) + len(messages) * CHUNK_OVERHEAD

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Sequence numbers of these streams, or of all, begin at 0 again (RFC 6525 §5.2.2)."""
        used = self._streams.keys() & set(stream_ids) if stream_ids else list(self._streams)
        for stream in filter(attrgetter("waiting"), map(self._streams.pop, used)):
            self.taken(stream.waiting.values())

    def _wait(self, stream: _Stream, sequence: int, message: MessageReceived) -> None:
        if sequence > stream.next_sequence and sequence not in stream.waiting:
            stream.waiting[sequence] = message
            insort(stream.in_order, sequence)
            self.keep(message)


def _release(stream: _Stream) -> list[MessageReceived]:
    """What waits up to the next sequence number, and what follows on that without a gap."""
    in_order, following = stream.in_order, stream.next_sequence
    passed = count = bisect_left(in_order, following)
    if passed < len(in_order) and in_order[passed] == following:
        count = _end_of_run(in_order, passed)
        stream.next_sequence = following + count - passed
    if count < len(in_order):
        released = list(map(stream.waiting.pop, in_order[:count]))
        del in_order[:count]
        return released
    released = list(map(stream.waiting.pop, in_order))
    in_order.clear()
    return released


def _end_of_run(in_order: list[int], first: int) -> int:
    """Behind the last of the numbers that go on from place ``first`` without a gap: they rise as their places do."""
    ahead = in_order[first] - first
    if in_order[-1] - len(in_order) < ahead:
        return len(in_order)
    if in_order[first + 1] - first > ahead + 1:
        return first + 1
    return bisect_right(range(len(in_order)), ahead, first, key=lambda place: in_order[place] - place)
