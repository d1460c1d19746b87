"""What a caller notes of the packets that come back: when they came, and what their sender meant them to be."""

import socket
import struct
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import trio

from benchmarks.speech import SAMPLE_RATE

_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@qq")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_RTP_TIMESTAMP: Final = struct.Struct("!4xI")


class StampedSocket(socket.socket):
    """A UDP socket that knows when the kernel got the datagram that ``recvfrom`` returned last.

    So it does not matter when the caller's process comes to read it: a packet's lateness is the server's alone.
    """

    arrived_at = 0.0
    """Seconds of the system's clock."""

    @classmethod
    def bound(cls, host: str) -> "StampedSocket":
        """A non-blocking socket on any free port, with room for a burst."""
        sock = cls(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.bind((host, 0))
        return sock

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, tuple[str, int]]:
        """As of any socket; the flags are there for the signature's sake."""
        data, ancillary, _, remote = self.recvmsg(size, _ANCILLARY_BYTES, flags)
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        self.arrived_at = seconds + nanoseconds * 1e-9
        return data, remote


@dataclass(slots=True)
class Recording:
    """One call. Moments are in seconds of trio's clock, but for ``arrivals``, which are in the system's."""

    offered_at: float = 0.0
    answered_at: float = 0.0
    first_audio_at: float = 0.0
    connected: trio.Event = field(default_factory=trio.Event)
    """Set when ICE and DTLS are."""
    heard: trio.Event = field(default_factory=trio.Event)
    """Set by the first packet of audio."""
    keeping: bool = False
    """Whether packets are noted: in the steady window only."""
    arrivals: list[float] = field(default_factory=list)
    rtp_timestamps: list[int] = field(default_factory=list)

    def note(self, packet: bytes, arrived_at: float) -> None:
        """An SRTP packet has come; its header is in clear."""
        if not self.first_audio_at:
            self.first_audio_at = trio.current_time()
            self.heard.set()
        if self.keeping:
            self.arrivals.append(arrived_at)
            self.rtp_timestamps.append(_RTP_TIMESTAMP.unpack_from(packet)[0])

    def lateness(self) -> list[float]:
        """Seconds that each packet came later, on its sender's timeline, than the earliest up to it.

        A delay that the server takes back makes packets early, and those before it not late.
        """
        if not self.arrivals:
            return []
        first = self.rtp_timestamps[0]
        transits = [
            arrival - _signed(timestamp - first) / SAMPLE_RATE
            for arrival, timestamp in zip(self.arrivals, self.rtp_timestamps, strict=True)
        ]
        return [transit - earliest for transit, earliest in zip(transits, accumulate(transits, min), strict=True)]


def _signed(difference: int) -> int:
    """A difference of RTP timestamps, whichever of them has wrapped."""
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000
