"""Sequence numbers and timestamps without their wraps, RFC 3550 Appendix A.1."""

from typing import Final

MAX_DROPOUT: Final = 3000
"""Packets; a larger step forward is a jump, not a loss (RFC 3550 A.1; a minute of 20 ms packets)."""
MAX_MISORDER: Final = 100
"""Packets; a larger step backward is a jump, not a late packet (RFC 3550 A.1)."""

_MODULUS: Final = 1 << 16
_NO_RESTART: Final = -1


class SequenceTracker:
    """Extends the sequence numbers of one source.

    Extended numbers only compare with each other: they start at the first packet's own number, grow over wraps and
    restarts, and may be smaller than the first for packets that were overtaken by it. RFC 3550 A.1 puts a source on
    probation first; here SRTP has authenticated it, so its first packet counts.
    """

    __slots__ = ("_base", "_restart_at", "highest")

    def __init__(self, first: int) -> None:
        self.highest = first
        """The extended highest sequence number received."""
        self._base = first
        self._restart_at = _NO_RESTART

    def extend(self, sequence_number: int) -> int | None:
        """The extended number, or None for a packet to be dropped: it jumps, and may be a stray.

        The second packet in a row after a jump shows that the source has restarted, and is taken.
        """
        delta = (sequence_number - self.highest) & 0xFFFF
        if delta < MAX_DROPOUT:
            self.highest += delta
            self._restart_at = _NO_RESTART
            return self.highest
        if delta > _MODULUS - MAX_MISORDER:
            return self.highest + delta - _MODULUS
        return self._jump(sequence_number)

    @property
    def expected(self) -> int:
        """How many packets the source has sent from its first to its highest; a jump at a restart does not count."""
        return self.highest - self._base + 1

    def _jump(self, sequence_number: int) -> int | None:
        if sequence_number != self._restart_at:
            self._restart_at = (sequence_number + 1) & 0xFFFF
            return None
        expected = self.expected
        cycles = (self.highest // _MODULUS + 1) * _MODULUS
        self.highest = cycles + sequence_number
        self._base = self.highest - expected
        self._restart_at = _NO_RESTART
        return self.highest


def extend_timestamp(timestamp: int, reference: int) -> int:
    """The extended timestamp nearest to ``reference``, itself extended: right within ±2**31 clock units of it."""
    return reference + ((timestamp - reference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
