"""The chunks that were sent and are not yet acknowledged cumulatively (RFC 9260 §6.2.1, §7.2.4; RFC 3758 §3.5)."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from enum import Enum
from heapq import heappushpop
from typing import Final

import msgspec

from glottis.sctp.limits import CHUNK_OVERHEAD
from glottis.sctp.send_queue import OutboundMessage
from glottis.sctp.tsn_ranges import TsnRanges

_MISSING_REPORTS_FOR_FAST_RETRANSMIT: Final = 3

MAX_ACKNOWLEDGED_AT_ONCE: Final = 256
"""Chunks; of further ones a SACK takes note in the next go, and nothing is sent before that."""

_MAX_GAP_BLOCKS: Final = 128
"""Blocks of a SACK that count: what lies beyond is reported again once the first gaps are filled."""

_MAX_MISSING_AT_ONCE: Final = 48
"""Chunks that one SACK shows to be lost: as many as are sent again at once."""


class ChunkState(Enum):
    """Where a chunk is."""

    IN_FLIGHT = "in flight"
    LOST = "to be sent again"
    ACKED = "acknowledged by a gap block"
    GIVEN_UP = "given up"


_UNACKNOWLEDGED: Final = (ChunkState.IN_FLIGHT, ChunkState.LOST)


class OutboundChunk(msgspec.Struct, eq=False):
    """A DATA chunk as it goes on the wire; its TSN is unwrapped."""

    tsn: int
    encoded: bytes
    size: int
    """Of its payload."""
    message: OutboundMessage
    state: ChunkState = ChunkState.IN_FLIGHT
    sent_count: int = 1
    missing_counts_from: int = 0
    """A report that it is missing counts if it comes with the acknowledgement of this TSN or a higher one."""


class Outstanding:
    """A row of chunks with consecutive TSNs that begins after the cumulative TSN.

    A SACK costs what it changes: each chunk is passed over once when it is acknowledged, found missing or given up.
    """

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative, self.next_tsn = initial_tsn - 1, initial_tsn
        """``next_tsn`` is what the next new chunk gets."""
        self.flight_size = 0
        """Bytes in flight."""
        self.size = 0
        """Bytes not acknowledged cumulatively."""
        self._chunks: dict[int, OutboundChunk] = {}
        """By TSN, ascending."""
        self._lost: deque[OutboundChunk] = deque()
        self._in_order_of_sending: deque[tuple[int, OutboundChunk]] = deque()
        """Each chunk in flight, after its ``missing_counts_from``, which only rises; some have left flight since."""
        self._reports = [self.cumulative] * _MISSING_REPORTS_FOR_FAST_RETRANSMIT
        """Heap of the highest TSNs with which chunks were reported missing: the lowest of them counts."""
        self._gap_acked = TsnRanges()
        self._last_gaps: list[tuple[int, int]] = []
        """The gap blocks of the last SACK, as TSNs."""
        self._head = initial_tsn
        """All before it are acknowledged or given up."""
        self._skip_point = self.cumulative
        """The Advanced.Peer.Ack.Point (RFC 3758 §3.5)."""
        self._skipped: OrderedDict[int, tuple[int, int]] = OrderedDict()
        """Per stream, the last sequence number up to that point and its TSN, by TSN."""

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[OutboundChunk]:
        """By TSN, ascending."""
        return iter(self._chunks.values())

    @property
    def held(self) -> int:
        """Bytes of memory that are charged for what is not acknowledged cumulatively."""
        return self.size + len(self._chunks) * CHUNK_OVERHEAD

    def undelivered(self, now: float) -> list[OutboundMessage]:
        """Messages that the peer may not have got, as they were sent; without those that are to be given up.

        An ordered one that is acknowledged by a gap block waits with the peer for what is before it on its stream.
        """
        due: dict[OutboundMessage, None] = {}
        waiting: set[int] = set()
        for chunk in self._chunks.values():
            message = chunk.message
            if chunk.state is not ChunkState.ACKED and not message.unordered:
                waiting.add(message.stream_id)
            is_lacking = chunk.state in _UNACKNOWLEDGED or (not message.unordered and message.stream_id in waiting)
            if is_lacking and not message.is_given_up(chunk.sent_count, now):
                due[message] = None
        return list(due)

    def last_in_flight(self, now: float) -> OutboundChunk | None:
        """The last one in flight that would be sent again."""
        for chunk in reversed(self._chunks.values()):
            if chunk.state is ChunkState.IN_FLIGHT and not chunk.message.is_given_up(chunk.sent_count, now):
                return chunk
        return None

    def add(self, chunk: OutboundChunk) -> None:
        """A chunk with the TSN ``next_tsn`` was sent."""
        self._append(chunk)
        self.size += chunk.size
        self._fly(chunk)

    def acknowledge_up_to(self, cumulative: int) -> int:
        """Forget the chunks up to ``cumulative``; the number of bytes that this newly acknowledges."""
        from_flight = acked = known = 0
        in_flight, is_lost, is_acked = ChunkState.IN_FLIGHT, ChunkState.LOST, ChunkState.ACKED
        for chunk in map(self._chunks.pop, range(self.cumulative + 1, cumulative + 1)):
            state, chunk.state = chunk.state, is_acked
            if state is in_flight:
                from_flight += chunk.size
            elif state is is_lost:
                acked += chunk.size
            else:
                known += chunk.size
        self.flight_size -= from_flight
        self.size -= from_flight + acked + known
        self.cumulative = cumulative
        if self._gap_acked:
            self._gap_acked.cut_off(cumulative)
        self._head = max(self._head, cumulative + 1)
        self._trim_in_order_of_sending()
        return acked + from_flight

    def apply_gaps(self, blocks: tuple[tuple[int, int], ...]) -> tuple[int, int, bool]:
        """Take a SACK's gap blocks: bytes newly acknowledged, and the highest TSN among them (or ``cumulative``).

        Blocks out of order, and what is behind them, do not count; nor do more than ``_MAX_GAP_BLOCKS``. Says besides
        whether there is more to be taken of them than is at a time.
        """
        acked, highest, reached = 0, self.cumulative, self.cumulative
        self._last_gaps = []
        left = MAX_ACKNOWLEDGED_AT_ONCE
        for start, end in blocks[:_MAX_GAP_BLOCKS]:
            first, last = self.cumulative + start, min(self.cumulative + end, self.next_tsn - 1)
            if not reached < first <= last:
                break
            if last - first >= left:  # only long blocks can exceed it: what is known of this one costs nothing
                known = self._gap_acked.end_of(first)
                if last > known + left:
                    last, left = max(known, first - 1) + left, 0
            reached = last
            self._last_gaps.append((first, last))
            for newly_first, newly_last in self._gap_acked.add(first, last):
                for chunk in map(self._chunks.__getitem__, range(newly_first, newly_last + 1)):
                    if chunk.state in _UNACKNOWLEDGED:
                        acked += self._leave_flight(chunk)
                        chunk.state, highest = ChunkState.ACKED, chunk.tsn
                left -= newly_last - newly_first + 1
            if left <= 0:
                return acked, highest, True
        return acked, highest, False

    @property
    def has_gaps(self) -> bool:
        """Whether the last SACK had gap blocks."""
        return bool(self._last_gaps)

    @property
    def highest_reported(self) -> int:
        """The highest TSN that the last SACK acknowledges, anew or again."""
        return self._last_gaps[-1][1] if self._last_gaps else self.cumulative

    def report_missing(self, below_tsn: int) -> list[OutboundChunk]:
        """Count one more report for each chunk in flight below; those that are to be fast retransmitted.

        After a retransmission only chunks that were sent later bear witness: so it, too, can be found lost (§7.2.4
        would leave that to T3-rtx). So what three reports have shown missing is the first of what was sent, and no
        chunk needs a count of its own. The first are told; the others are with the next SACK.
        """
        heappushpop(self._reports, below_tsn)
        sent, missing = self._in_order_of_sending, list[OutboundChunk]()
        while sent and sent[0][0] <= self._reports[0] and len(missing) < _MAX_MISSING_AT_ONCE:
            counts_from, chunk = sent.popleft()
            if chunk.state is ChunkState.IN_FLIGHT and chunk.missing_counts_from == counts_from:
                missing.append(chunk)
        return missing

    def add_given_up(self, message: OutboundMessage) -> None:
        """Assign the next TSN to the part of ``message`` that will never be sent."""
        self._append(OutboundChunk(self.next_tsn, b"", 0, message, ChunkState.GIVEN_UP))

    def lose(self, chunk: OutboundChunk) -> None:
        """Take ``chunk`` out of flight, to be sent again."""
        self._leave_flight(chunk)
        chunk.state = ChunkState.LOST
        self._lost.append(chunk)

    def lose_all(self) -> None:
        """Every chunk in flight is lost, and to be sent again, in order (§6.3.3 E3).

        So is what an earlier SACK acknowledged and the last one, below its last block, did not: the peer has dropped
        it again (§6.2.1). To look for that at each SACK would cost a look at each chunk.
        """
        self.flight_size = 0
        self._in_order_of_sending.clear()
        self._lost.clear()
        self._gap_acked = self._acked_by_last_gaps()
        for chunk in self._chunks.values():
            if chunk.state in _UNACKNOWLEDGED or (chunk.state is ChunkState.ACKED and chunk.tsn not in self._gap_acked):
                chunk.state = ChunkState.LOST
                self._lost.append(chunk)

    def next_lost(self) -> OutboundChunk | None:
        """The first chunk to be sent again."""
        lost = self._lost
        while lost and lost[0].state is not ChunkState.LOST:
            lost.popleft()
        return lost[0] if lost else None

    def send_again(self, chunk: OutboundChunk) -> None:
        """``chunk``, which was lost, is in flight again."""
        self._lost.popleft()
        chunk.sent_count += 1
        self._fly(chunk)

    def give_up(self, message: OutboundMessage, most: int) -> int:
        """So many further chunks of ``message`` are not sent again; how many were left, if there were fewer."""
        first = tsn = max(message.first_tsn, self.cumulative + 1)
        while tsn - first < most and (chunk := self._chunks.get(tsn)) is not None and chunk.message is message:
            if chunk.state is ChunkState.IN_FLIGHT:
                self.flight_size -= chunk.size
            chunk.state = ChunkState.GIVEN_UP
            tsn += 1
        message.first_tsn = tsn
        return tsn - first

    def expired_at_head(self, now: float) -> OutboundMessage | None:
        """The first message that is not given up, if its life time is over: it needs no place in flight any more."""
        while (chunk := self._chunks.get(self._head)) is not None and chunk.state is ChunkState.GIVEN_UP:
            self._head += 1
        if chunk is None or chunk.message.expires_at is None or chunk.message.expires_at > now:
            return None
        return chunk.message

    @property
    def first_is_given_up(self) -> bool:
        """Whether the peer must be told to go on without what it waits for."""
        first = self._chunks.get(self.cumulative + 1)
        return first is not None and first.state is ChunkState.GIVEN_UP

    def given_up_prefix(self, max_streams: int) -> tuple[int, dict[int, int]]:
        """The Advanced.Peer.Ack.Point, and per stream the last sequence number skipped, for at most ``max_streams``."""
        self.pass_over_given_up(max_streams)
        return self._skip_point, {stream_id: sequence for stream_id, (sequence, _) in self._skipped.items()}

    def pass_over_given_up(self, max_streams: int) -> None:
        """Bring the Advanced.Peer.Ack.Point forward; what it has passed over is not looked at again."""
        skipped = self._skipped
        while skipped and next(iter(skipped.values()))[1] <= self.cumulative:
            skipped.popitem(last=False)
        self._skip_point = max(self._skip_point, self.cumulative)
        while (chunk := self._chunks.get(self._skip_point + 1)) is not None and chunk.state is ChunkState.GIVEN_UP:
            message = chunk.message
            if not message.unordered:
                if message.stream_id not in skipped and len(skipped) >= max_streams:
                    break
                skipped[message.stream_id] = (message.stream_sequence, chunk.tsn)
                skipped.move_to_end(message.stream_id)
            self._skip_point = chunk.tsn

    def _acked_by_last_gaps(self) -> TsnRanges:
        """What counts as acknowledged when only the last SACK is believed, as far as it goes."""
        acked, reached = TsnRanges(), self.cumulative
        for first, last in self._last_gaps:
            if first > reached:
                acked.add(first, last)
                reached = last
        for first, last in self._gap_acked if self._last_gaps else ():
            if last > reached:
                acked.add(max(first, reached + 1), last)
        return acked

    def _trim_in_order_of_sending(self) -> None:
        """It need not begin with what has left flight."""
        sent = self._in_order_of_sending
        if not self._chunks:
            sent.clear()
        while sent and sent[0][1].state is not ChunkState.IN_FLIGHT:
            sent.popleft()

    def _append(self, chunk: OutboundChunk) -> None:
        self._chunks[chunk.tsn] = chunk
        self.next_tsn = chunk.tsn + 1

    def _leave_flight(self, chunk: OutboundChunk) -> int:
        """Count ``chunk``, which is not acknowledged, out of flight; its size."""
        if chunk.state is ChunkState.IN_FLIGHT:
            self.flight_size -= chunk.size
        return chunk.size

    def _fly(self, chunk: OutboundChunk) -> None:
        chunk.state, chunk.missing_counts_from = ChunkState.IN_FLIGHT, self.next_tsn
        self.flight_size += chunk.size
        self._in_order_of_sending.append((self.next_tsn, chunk))
