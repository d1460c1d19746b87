"""Which TSNs have arrived, and what to acknowledge (RFC 9260 §6.2)."""

from bisect import bisect_left
from typing import Final

from glottis.sctp.serial import TSN_MASK

_MAX_GAP_BLOCKS: Final = 64
"""As many blocks as a SACK reports: what lies beyond is reported once the first gaps are filled."""
_MAX_DUPLICATES: Final = 16


class ReceivedTsns:
    """The cumulative TSN and the ranges beyond it; TSNs are unwrapped."""

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative = initial_tsn - 1
        self._ranges: list[tuple[int, int]] = []
        """First and last TSN of each; disjoint, not adjacent, ascending."""
        self._duplicates: list[int] = []

    @property
    def highest(self) -> int:
        """The highest TSN that has arrived."""
        return self._ranges[-1][1] if self._ranges else self.cumulative

    @property
    def has_gaps(self) -> bool:
        """Whether something is missing before ``highest``."""
        return bool(self._ranges)

    def receive(self, tsn: int) -> bool:
        """Note ``tsn``; False if it had arrived before."""
        if tsn == self.cumulative + 1:
            self.cumulative = tsn
            self._absorb()
            return True
        if tsn <= self.cumulative or not self._insert(tsn):
            self._duplicates.append(tsn & TSN_MASK)
            del self._duplicates[:-_MAX_DUPLICATES]
            return False
        return True

    def forward(self, tsn: int) -> None:
        """Count everything up to ``tsn`` as received (RFC 3758 §3.6)."""
        self.cumulative = max(self.cumulative, tsn)
        while self._ranges and self._ranges[0][0] <= self.cumulative:
            self.cumulative = max(self.cumulative, self._ranges.pop(0)[1])
        self._absorb()

    def gap_blocks(self) -> tuple[tuple[int, int], ...]:
        """First and last TSN of each block as offsets from ``cumulative``."""
        base = self.cumulative
        return tuple((first - base, last - base) for first, last in self._ranges[:_MAX_GAP_BLOCKS])

    def take_duplicates(self) -> tuple[int, ...]:
        """The TSNs (wrapped) that came again since the last call."""
        duplicates = tuple(self._duplicates)
        self._duplicates.clear()
        return duplicates

    def _absorb(self) -> None:
        if self._ranges and self._ranges[0][0] == self.cumulative + 1:
            self.cumulative = self._ranges.pop(0)[1]

    def _insert(self, tsn: int) -> bool:
        ranges = self._ranges
        index = bisect_left(ranges, (tsn + 1, 0))  # the first range that begins after tsn
        before = ranges[index - 1] if index else (0, tsn - 2)
        if tsn <= before[1]:
            return False
        joins_before = index > 0 and before[1] == tsn - 1
        joins_after = index < len(ranges) and ranges[index][0] == tsn + 1
        first = before[0] if joins_before else tsn
        last = ranges[index][1] if joins_after else tsn
        ranges[index - joins_before : index + joins_after] = [(first, last)]
        return True
