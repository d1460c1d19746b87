"""How much may be in flight: slow start, congestion avoidance, fast recovery (RFC 9260 §7.2)."""

from glottis.sctp.limits import SctpLimits


class CongestionWindow:
    """``size`` is cwnd in bytes; TSNs are unwrapped."""

    def __init__(self, limits: SctpLimits) -> None:
        self._chunk = limits.packet_capacity
        self._maximum = limits.max_congestion_window
        self.size = min(4 * self._chunk, max(2 * self._chunk, 4404))
        self._initial = self.size
        self._threshold = self._maximum
        self._partial_bytes_acked = 0
        self._recovery_exit: int | None = None

    @property
    def in_fast_recovery(self) -> bool:
        """Whether a fast retransmission is not yet acknowledged."""
        return self._recovery_exit is not None

    def acknowledged(self, size: int, *, cumulative_tsn: int, window_was_full: bool) -> None:
        """The cumulative TSN advanced, and ``size`` bytes were newly acknowledged (§7.2.1, §7.2.2)."""
        if self._recovery_exit is not None:
            if cumulative_tsn < self._recovery_exit:
                return
            self._recovery_exit = None
        if self.size <= self._threshold:
            self._grow(min(size, self._chunk) if window_was_full else 0)
            return
        self._partial_bytes_acked += size
        if self._partial_bytes_acked >= self.size and window_was_full:
            self._partial_bytes_acked -= self.size
            self._grow(self._chunk)

    def fast_retransmitted(self, highest_outstanding_tsn: int) -> None:
        """A chunk was reported missing three times (§7.2.4)."""
        if self._recovery_exit is None:
            self._recovery_exit = highest_outstanding_tsn
            self.size = self._lower_threshold()

    def timed_out(self) -> None:
        """T3-rtx expired (§7.2.3)."""
        self._lower_threshold()
        self.size = self._chunk
        self._recovery_exit = None

    def was_idle(self, seconds: float, retransmission_timeout: float) -> None:
        """Nothing was in flight for ``seconds``: half the window per RTO, down to the initial one (§7.2.1)."""
        halvings = min(int(seconds / retransmission_timeout), 16)
        self.size = max(self.size >> halvings, min(self.size, self._initial))

    def all_acknowledged(self) -> None:
        """Nothing is outstanding (§7.2.2)."""
        self._partial_bytes_acked = 0

    def _grow(self, size: int) -> None:
        self.size = min(self.size + size, self._maximum)

    def _lower_threshold(self) -> int:
        self._threshold = max(self.size // 2, 4 * self._chunk)
        self._partial_bytes_acked = 0
        return self._threshold
