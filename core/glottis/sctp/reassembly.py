"""Fragments become messages, and messages come in the order of their stream (RFC 9260 §6.5, §6.6, §6.9)."""

from dataclasses import dataclass, field

from glottis.contracts.errors import Malformed
from glottis.sctp.events import MessageReceived
from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.sctp.serial import unwrap_ssn
from glottis.wire.sctp import FIRST_FRAGMENT, LAST_FRAGMENT, UNORDERED, WHOLE_MESSAGE, DataFields


@dataclass(slots=True)
class _Run:
    """Fragments of one message with consecutive TSNs."""

    first_tsn: int
    last_tsn: int
    fields: DataFields
    flags: int
    """FIRST_FRAGMENT and LAST_FRAGMENT as far as they have been seen, and UNORDERED."""
    parts: list[bytes]
    size: int

    def is_followed_by_untrusted(self, flags: int, fields: DataFields) -> bool:
        """Whether what comes next continues the same message; ``Malformed`` if it lies about that."""
        if self.flags & LAST_FRAGMENT or flags & FIRST_FRAGMENT:
            return False
        if (self.flags ^ flags) & UNORDERED or self.fields[1:3] != fields[1:3]:
            raise Malformed("the fragments of a message disagree about their stream")
        return True

    def extend(self, last_tsn: int, flags: int, parts: list[bytes], size: int) -> None:
        self.last_tsn = last_tsn
        self.flags |= flags
        self.parts += parts
        self.size += size


class Reassembly:
    """Joins fragments; a message's fragments have consecutive TSNs, so runs of them are all there is to keep."""

    def __init__(self, max_message_size: int) -> None:
        self.held = 0
        """Bytes kept, ``CHUNK_OVERHEAD`` included."""
        self._max_message_size = max_message_size
        self._by_first: dict[int, _Run] = {}
        self._by_last: dict[int, _Run] = {}

    def add_untrusted(self, tsn: int, flags: int, fields: DataFields, payload: bytes) -> MessageReceived | None:
        """Take a fragment; the message that it completes, or None.

        Raises ``Malformed`` if fragments disagree or the message is longer than the maximum.
        """
        self.held += len(payload) + CHUNK_OVERHEAD
        run = self._run_with_untrusted(tsn, flags, fields, payload)
        self._join_after_untrusted(run)
        if run.size > self._max_message_size:
            raise Malformed("a message is longer than the maximum that was offered")
        if run.flags & WHOLE_MESSAGE == WHOLE_MESSAGE:
            self._forget(run)
            _, stream_id, _, protocol_id = run.fields
            return MessageReceived(stream_id, protocol_id, b"".join(run.parts))
        self._by_first[run.first_tsn] = self._by_last[run.last_tsn] = run
        return None

    def drop_up_to(self, tsn: int) -> None:
        """The peer has given up what begins at or before ``tsn``."""
        for run in [run for first, run in self._by_first.items() if first <= tsn]:
            self._forget(run)

    def _run_with_untrusted(self, tsn: int, flags: int, fields: DataFields, payload: bytes) -> _Run:
        """The run that the fragment continues, or one of its own."""
        run = self._by_last.get(tsn - 1)
        if run is None or not run.is_followed_by_untrusted(flags, fields):
            return _Run(tsn, tsn, fields, flags, [payload], len(payload))
        del self._by_last[tsn - 1]
        run.extend(tsn, flags, [payload], len(payload))
        return run

    def _join_after_untrusted(self, run: _Run) -> None:
        after = self._by_first.get(run.last_tsn + 1)
        if after is not None and run.is_followed_by_untrusted(after.flags, after.fields):
            del self._by_first[after.first_tsn], self._by_last[after.last_tsn]
            run.extend(after.last_tsn, after.flags, after.parts, after.size)

    def _forget(self, run: _Run) -> None:
        self._by_first.pop(run.first_tsn, None)
        self._by_last.pop(run.last_tsn, None)
        self.held -= run.size + CHUNK_OVERHEAD * len(run.parts)


@dataclass(slots=True)
class _Stream:
    next_sequence: int = 0
    waiting: dict[int, MessageReceived] = field(default_factory=dict)


class InboundStreams:
    """Gives each stream's ordered messages in the order of their stream sequence numbers."""

    def __init__(self) -> None:
        self.held = 0
        self._streams: dict[int, _Stream] = {}

    def take(self, sequence: int, message: MessageReceived) -> list[MessageReceived]:
        """The messages that can be delivered now that ``message`` is here."""
        stream = self._streams.get(message.stream_id)
        if stream is None:
            stream = self._streams[message.stream_id] = _Stream()
        if sequence == stream.next_sequence & 0xFFFF and not stream.waiting:
            stream.next_sequence += 1
            return [message]
        return self._take_out_of_order(stream, unwrap_ssn(sequence, stream.next_sequence), message)

    def skip(self, stream_id: int, sequence: int) -> list[MessageReceived]:
        """The peer has given up messages up to ``sequence``; what can be delivered now (RFC 3758 §3.6)."""
        stream = self._streams.setdefault(stream_id, _Stream())
        last = unwrap_ssn(sequence, stream.next_sequence)
        if last < stream.next_sequence:
            return []
        passed = [self._release(stream, waiting) for waiting in sorted(stream.waiting) if waiting <= last]
        stream.next_sequence = last + 1
        return passed + self._release_ready(stream)

    def reset(self, stream_id: int) -> None:
        """Sequence numbers of this stream begin at 0 again (RFC 6525 §5.2.2)."""
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            for sequence in list(stream.waiting):
                self._release(stream, sequence)

    def _take_out_of_order(self, stream: _Stream, sequence: int, message: MessageReceived) -> list[MessageReceived]:
        if sequence >= stream.next_sequence and sequence not in stream.waiting:
            stream.waiting[sequence] = message
            self.held += len(message.data) + CHUNK_OVERHEAD
        return self._release_ready(stream)

    def _release_ready(self, stream: _Stream) -> list[MessageReceived]:
        ready = []
        while stream.next_sequence in stream.waiting:
            ready.append(self._release(stream, stream.next_sequence))
            stream.next_sequence += 1
        return ready

    def _release(self, stream: _Stream, sequence: int) -> MessageReceived:
        message = stream.waiting.pop(sequence)
        self.held -= len(message.data) + CHUNK_OVERHEAD
        return message
