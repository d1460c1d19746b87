"""Packets that may have to be sent again: the last ones, as they were protected (RFC 4585 §6.2.1).

SRTP takes no sequence number twice, and need not: the same bytes under the same number tell nothing new.
"""

from collections.abc import Iterable
from typing import Final

from glottis.wire.rtcp import Nack
from glottis.wire.token_bucket import TokenBucket

HISTORY: Final = 64
"""Packets: more than a second of those of 20 ms. Nobody waits longer for one."""
RESENT_PER_SECOND: Final = 50
RESENT_BURST: Final = 25
"""Packets: no more than a stream has. Else a NACK of a few bytes would cost sixteen packets."""
REQUESTS_PER_SECOND: Final = 200
REQUESTS_BURST: Final = 64
"""Sequence numbers that are looked up at all."""


class SentPackets:
    """The history of one stream, and what was made of requests for it."""

    __slots__ = ("_packets", "_requests", "_resent", "nack_count", "refused", "resent", "resent_bytes", "unknown")

    def __init__(self, now: float) -> None:
        self.nack_count = 0
        """NACK packets that have come."""
        self.resent = 0
        self.resent_bytes = 0
        """Of whole packets."""
        self.unknown = 0
        """Requested packets that were never sent, or too long ago."""
        self.refused = 0
        """NACKs beyond the bounds."""
        self._packets: list[bytes] = [b""] * HISTORY
        """By sequence number modulo ``HISTORY``."""
        self._requests = TokenBucket(REQUESTS_PER_SECOND, REQUESTS_BURST, now)
        self._resent = TokenBucket(RESENT_PER_SECOND, RESENT_BURST, now)

    def forget(self) -> None:
        """There are other keys, with which nobody can read these."""
        self._packets = [b""] * HISTORY

    def remember(self, packets: Iterable[bytes]) -> None:
        """These have been sent."""
        for packet in packets:
            self._packets[packet[3] % HISTORY] = packet

    def requested(self, nack: Nack, now: float) -> list[bytes]:
        """What is to be sent again."""
        self.nack_count += 1
        again: list[bytes] = []
        for number in nack.sequence_numbers():
            if self._requests.take(now):
                self.refused += 1
                break
            packet = self._packets[number % HISTORY]
            if packet[2:4] != number.to_bytes(2):
                self.unknown += 1
            elif self._resent.take(now):
                self.refused += 1
                break
            else:
                again.append(packet)
        self.resent += len(again)
        self.resent_bytes += sum(map(len, again))
        return again
