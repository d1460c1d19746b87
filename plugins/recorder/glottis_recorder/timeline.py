"""Where in a recording each packet belongs, by its RTP time."""

from typing import Final

from glottis import EncodedPacket

RATE: Final = 48000
"""Of positions, in hertz: whole samples of every RTP clock that speech has."""
MAX_SKEW: Final = 1.0
"""Seconds that RTP time may differ from the gateway's clock. Beyond, it is another stream, or one that has begun anew:
clocks that differ by 100 ppm get there after three hours."""


class Timeline:
    """Of one direction. RTP time is exact between packets, so positions never drift; the clock only sets the origin."""

    def __init__(self) -> None:
        self._clock_rate = 0
        self._last = 0
        """The RTP timestamp of the last packet."""
        self._elapsed = 0
        """RTP units from the origin to it."""
        self._origin = 0

    def place(self, packet: EncodedPacket, now: int) -> int:
        """The position of the packet's first sample; ``now`` is that of the gateway's clock."""
        step = (packet.rtp_timestamp - self._last + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        self._elapsed += step
        self._last = packet.rtp_timestamp
        position = self._origin + self._elapsed * RATE // (self._clock_rate or 1)
        if packet.clock_rate != self._clock_rate or abs(position - now) > MAX_SKEW * RATE:
            self._clock_rate, self._elapsed, self._origin = packet.clock_rate, 0, now
            return now
        return position
