"""Packets that have not come, and are asked for where that is of use: RFC 4585 §6.2.1."""

from typing import Final, NamedTuple

MARGIN: Final = 0.02
"""Seconds of the delay that are left for the packet's own length, and for the media tick."""
LONGEST_GAP: Final = 8
"""Packets; a longer gap is an outage, in which requests are lost as well, or a sender that begins anew."""
MOST_MISSING: Final = 32
ATTEMPTS: Final = 3
REORDERING: Final = 0.01
"""Seconds beside the round trip before a packet is asked for again."""


class _Missing(NamedTuple):
    since: float
    due_at: float
    attempts: int


class MissingPackets:
    """Of one stream. Sequence numbers are extended, times in seconds."""

    __slots__ = ("_missing", "is_asking", "nack_count", "next", "requested")

    def __init__(self) -> None:
        self.nack_count = 0
        """NACK packets that were sent."""
        self.requested = 0
        """Packets that were asked for, each time."""
        self.is_asking = False
        """Whether ``take_due`` may have something."""
        self._missing: dict[int, _Missing] = {}
        self.next: int | None = None
        """The number after the highest, which nearly always comes next; whoever sees it come may count it on."""

    def restart(self) -> None:
        """Another stream begins."""
        self._missing.clear()
        self.is_asking = False
        self.next = None

    def arrived(self, sequence: int, now: float) -> float:
        """A packet has come; returns when it would have, had it not been lost.

        How long a request took says nothing of the path's delay: the packet after the lost one tells of that.
        """
        if self.next is None or sequence >= self.next:
            if self.next is not None:
                self._note_gap(self.next, sequence, now)
                self.is_asking = bool(self._missing)
            self.next = sequence + 1
            return now
        found = self._missing.pop(sequence, None)
        self.is_asking = bool(self._missing)
        return found.since if found is not None and found.attempts else now

    def take_due(self, now: float, round_trip_time: float, delay: float) -> list[int]:
        """Those to be asked for now, in order; what could not come within ``delay`` is given up."""
        due: list[int] = []
        for sequence, one in list(self._missing.items()):
            if now + round_trip_time + MARGIN > one.since + delay or one.attempts == ATTEMPTS:
                if now > one.since + delay:  # until then it may come by itself, or still be answered
                    del self._missing[sequence]
            elif one.due_at <= now:
                due.append(sequence)
                self._missing[sequence] = _Missing(one.since, now + round_trip_time + REORDERING, one.attempts + 1)
        self.is_asking = bool(self._missing)
        if due:
            self.nack_count += 1
            self.requested += len(due)
        return due

    def _note_gap(self, first: int, end: int, now: float) -> None:
        if end - first > LONGEST_GAP:
            self._missing.clear()
            return
        for sequence in range(first, end):
            self._missing[sequence] = _Missing(now, now, 0)
        while len(self._missing) > MOST_MISSING:
            del self._missing[next(iter(self._missing))]
