"""The chunks that were sent and are not yet acknowledged cumulatively (RFC 9260 §6.2.1, §7.2.4; RFC 3758 §3.5)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final

from glottis.sctp.send_queue import OutboundMessage

_MISSING_REPORTS_FOR_FAST_RETRANSMIT: Final = 3


class ChunkState(Enum):
    """Where a chunk is."""

    IN_FLIGHT = "in flight"
    LOST = "to be sent again"
    ACKED = "acknowledged by a gap block"
    GIVEN_UP = "given up"


@dataclass(slots=True, eq=False)
class OutboundChunk:
    """A DATA chunk as it goes on the wire; its TSN is unwrapped."""

    tsn: int
    encoded: bytes
    size: int
    """Of its payload."""
    message: OutboundMessage
    state: ChunkState = ChunkState.IN_FLIGHT
    sent_count: int = 1
    missing_reports: int = 0
    missing_counts_from: int = 0
    """A report that it is missing counts if it comes with the acknowledgement of this TSN or a higher one."""


class Outstanding:
    """A row of chunks with consecutive TSNs that begins after the cumulative TSN."""

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative = initial_tsn - 1
        self.flight_size = 0
        """Bytes in flight."""
        self.size = 0
        """Bytes not acknowledged cumulatively."""
        self._chunks: deque[OutboundChunk] = deque()
        self._lost: deque[OutboundChunk] = deque()
        self._gap_acked = 0

    def __bool__(self) -> bool:
        return bool(self._chunks)

    @property
    def next_tsn(self) -> int:
        """The TSN that the next new chunk gets."""
        return self.cumulative + 1 + len(self._chunks)

    @property
    def has_gap_acks(self) -> bool:
        """Whether chunks beyond the cumulative TSN are acknowledged."""
        return self._gap_acked > 0

    def add(self, chunk: OutboundChunk) -> None:
        """A chunk with the TSN ``next_tsn`` was sent."""
        self._chunks.append(chunk)
        self.flight_size += chunk.size
        self.size += chunk.size

    def acknowledge_up_to(self, cumulative: int) -> int:
        """Forget the chunks up to ``cumulative``; the number of bytes that this newly acknowledges."""
        acked = 0
        for _ in range(cumulative - self.cumulative):
            chunk = self._chunks.popleft()
            self.size -= chunk.size
            if chunk.state is ChunkState.ACKED:
                self._gap_acked -= 1
            else:
                acked += self._leave_flight(chunk)
                chunk.state = ChunkState.ACKED
        self.cumulative = cumulative
        return acked

    def apply_gaps(self, blocks: tuple[tuple[int, int], ...]) -> tuple[int, int]:
        """Take a SACK's gap blocks: bytes newly acknowledged, and the highest TSN among them (or ``cumulative``).

        What an earlier SACK acknowledged and this one, below its last block, does not, is in flight again (reneging).
        """
        acked, highest = 0, self.cumulative
        for chunk, is_reported in self._walk(blocks):
            if is_reported and chunk.state in (ChunkState.IN_FLIGHT, ChunkState.LOST):
                acked += self._leave_flight(chunk)
                chunk.state, highest = ChunkState.ACKED, chunk.tsn
                self._gap_acked += 1
            elif not is_reported and chunk.state is ChunkState.ACKED:
                self._gap_acked -= 1
                self._fly(chunk)
        return acked, highest

    def report_missing(self, below_tsn: int) -> list[OutboundChunk]:
        """Count one more report for each chunk in flight below; those that are to be fast retransmitted.

        After a retransmission only chunks that were sent later bear witness: so it, too, can be found lost (§7.2.4
        would leave that to T3-rtx).
        """
        missing = []
        for chunk in self._chunks:
            if chunk.tsn >= below_tsn:
                break
            if chunk.state is ChunkState.IN_FLIGHT and chunk.missing_counts_from <= below_tsn:
                chunk.missing_reports += 1
                if chunk.missing_reports >= _MISSING_REPORTS_FOR_FAST_RETRANSMIT:
                    missing.append(chunk)
        return missing

    def add_given_up(self, message: OutboundMessage) -> None:
        """Assign the next TSN to the part of ``message`` that will never be sent."""
        self._chunks.append(OutboundChunk(self.next_tsn, b"", 0, message, ChunkState.GIVEN_UP))

    def lose(self, chunk: OutboundChunk) -> None:
        """Take ``chunk`` out of flight, to be sent again."""
        self._leave_flight(chunk)
        chunk.state = ChunkState.LOST
        self._lost.append(chunk)

    def lose_all(self) -> list[OutboundChunk]:
        """Every chunk in flight is lost; all that are to be sent again, in order (§6.3.3 E3)."""
        self.flight_size = 0
        self._lost.clear()
        for chunk in self._chunks:
            if chunk.state in (ChunkState.IN_FLIGHT, ChunkState.LOST):
                chunk.state = ChunkState.LOST
                self._lost.append(chunk)
        return list(self._lost)

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
        chunk.missing_reports, chunk.missing_counts_from = 0, self.next_tsn
        self._fly(chunk)

    def give_up(self, message: OutboundMessage) -> None:
        """No chunk of ``message`` is sent again."""
        first = max(message.first_tsn - self.cumulative - 1, 0)
        for chunk in islice(self._chunks, first, None):
            if chunk.message is not message:
                break
            if chunk.state is ChunkState.ACKED:
                self._gap_acked -= 1
            self._leave_flight(chunk)
            chunk.state = ChunkState.GIVEN_UP

    def expired_at_head(self, now: float) -> list[OutboundMessage]:
        """The messages at the head whose life time is over: they need no place in flight any more."""
        expired: dict[int, OutboundMessage] = {}
        for chunk in self._chunks:
            message = chunk.message
            if chunk.state is not ChunkState.GIVEN_UP:
                if message.expires_at is None or message.expires_at > now:
                    break
                expired[message.first_tsn] = message
        return list(expired.values())

    @property
    def first_is_given_up(self) -> bool:
        """Whether the peer must be told to go on without what it waits for."""
        return bool(self._chunks) and self._chunks[0].state is ChunkState.GIVEN_UP

    def given_up_prefix(self, max_streams: int) -> tuple[int, dict[int, int]]:
        """The Advanced.Peer.Ack.Point, and per stream the last sequence number skipped, for at most ``max_streams``."""
        point, skipped = self.cumulative, dict[int, int]()
        for chunk in self._chunks:
            message = chunk.message
            if chunk.state is not ChunkState.GIVEN_UP:
                break
            if not message.unordered:
                if message.stream_id not in skipped and len(skipped) == max_streams:
                    break
                skipped[message.stream_id] = message.stream_sequence
            point = chunk.tsn
        return point, skipped

    def _walk(self, blocks: tuple[tuple[int, int], ...]) -> Iterator[tuple[OutboundChunk, bool]]:
        """The chunks up to the last block, and whether a block holds them; blocks out of order end the walk."""
        chunks, reached = iter(self._chunks), 0
        for first, last in blocks:
            if not reached < first <= last:
                return
            yield from ((chunk, False) for chunk in islice(chunks, first - reached - 1))
            yield from ((chunk, True) for chunk in islice(chunks, last - first + 1))
            reached = last
        if not blocks:
            yield from ((chunk, False) for chunk in chunks)

    def _leave_flight(self, chunk: OutboundChunk) -> int:
        """Count ``chunk`` out of flight; its size, or 0 if it is given up and does not count."""
        if chunk.state is ChunkState.IN_FLIGHT:
            self.flight_size -= chunk.size
        return 0 if chunk.state is ChunkState.GIVEN_UP else chunk.size

    def _fly(self, chunk: OutboundChunk) -> None:
        chunk.state = ChunkState.IN_FLIGHT
        self.flight_size += chunk.size
