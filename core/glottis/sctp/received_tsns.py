"""Which TSNs have arrived, and what to acknowledge (RFC 9260 §6.2)."""

from typing import Final

from glottis.sctp.serial import TSN_MASK
from glottis.sctp.tsn_ranges import TsnRanges

_MAX_GAP_BLOCKS: Final = 64
"""As many blocks as a SACK reports: what lies beyond is reported once the first gaps are filled."""
_MAX_DUPLICATES: Final = 16


class ReceivedTsns:
    """The cumulative TSN and the ranges beyond it; TSNs are unwrapped."""

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative = initial_tsn - 1
        self._ranges = TsnRanges()
        self._duplicates: list[int] = []

    @property
    def highest(self) -> int:
        """The highest TSN that has arrived."""
        return self._ranges.highest if self._ranges else self.cumulative

    @property
    def has_gaps(self) -> bool:
        """Whether something is missing before ``highest``."""
        return bool(self._ranges)

    def receive(self, tsn: int) -> bool:
        """Note ``tsn``; False if it had arrived before."""
        if tsn == self.cumulative + 1:
            self.cumulative = self._ranges.drop_up_to(tsn) if self._ranges else tsn
            return True
        if tsn <= self.cumulative or not self._ranges.add(tsn, tsn):
            self._duplicates.append(tsn & TSN_MASK)
            del self._duplicates[:-_MAX_DUPLICATES]
            return False
        return True

    def forward(self, tsn: int) -> None:
        """Count everything up to ``tsn`` as received (RFC 3758 §3.6)."""
        self.cumulative = self._ranges.drop_up_to(max(self.cumulative, tsn))

    def gap_blocks(self) -> tuple[tuple[int, int], ...]:
        """First and last TSN of each block as offsets from ``cumulative``."""
        base = self.cumulative
        return tuple((first - base, last - base) for first, last in self._ranges.leading(_MAX_GAP_BLOCKS))

    def take_duplicates(self) -> tuple[int, ...]:
        """The TSNs (wrapped) that came again since the last call."""
        duplicates = tuple(self._duplicates)
        self._duplicates.clear()
        return duplicates
