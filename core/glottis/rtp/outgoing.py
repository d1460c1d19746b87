"""The packets of one outgoing stream: their numbers and time, their headers, and what was counted of them."""

import random
from collections.abc import Callable

from glottis.contracts.audio import EncodedPacket
from glottis.rtp.header_extensions import ExtensionWriter
from glottis.rtp.payload import PacketWatch
from glottis.wire.rtp import build_rtp


class OutgoingStream:
    """What all packets of ``ssrc`` have in common; ``clock_rate`` is that of its timestamps, in hertz.

    It has slots, for its sender has so many attributes that Python would keep them in a table for each call: more than
    30, and a packet touches most of them.
    """

    __slots__ = (
        "_first_timestamp",
        "_marker",
        "_sequence_number",
        "_started",
        "_timestamp",
        "audio_level",
        "bytes_sent",
        "clock_rate",
        "comfort_noise_sent",
        "extensions",
        "fec_packets_sent",
        "frames_unsent",
        "last_sent_at",
        "packets_sent",
        "red_packets_sent",
        "relayed",
        "ssrc",
        "total_lateness",
        "watch",
    )

    def __init__(self, ssrc: int, clock_rate: int, rng: random.Random) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.packets_sent = 0
        self.bytes_sent = 0
        """Of payloads, as sender reports count them."""
        self.fec_packets_sent = 0
        """With what the codec puts into them of the frame before."""
        self.red_packets_sent = 0
        """With frames before them."""
        self.frames_unsent = 0
        """Pauses, by what ``pauses`` or the encoder of the sender says."""
        self.comfort_noise_sent = 0
        """Packets."""
        self.total_lateness = 0.0
        """Seconds by which frames left after they were due, all together."""
        self.watch: PacketWatch | None = None
        """Is told of each packet of the codec that is sent."""
        self.relayed: Callable[[EncodedPacket], None] | None = None
        """Is told of each packet that the owner has queued as it came from elsewhere, when it is sent."""
        self.last_sent_at: float | None = None
        self.extensions: ExtensionWriter | None = None
        """Of the headers of packets, as negotiated."""
        self.audio_level: int | None = None
        """−dBov of what was sent last; None where nobody wants it, or knows."""
        # The upper half is left out so that a wrap among the first packets cannot confuse SRTP's rollover counter.
        self._sequence_number = rng.randrange(1 << 15)
        self._timestamp = self._first_timestamp = rng.getrandbits(32)
        self._started = False
        self._marker = True

    def _build(self, payload_type: int, timestamp: int, payload: bytes, marker: bool, now: float) -> bytes:
        """The next packet."""
        sequence_number = self._sequence_number
        self._sequence_number = (sequence_number + 1) & 0xFFFF
        self.packets_sent += 1
        self.bytes_sent += len(payload)
        extension = b"" if self.extensions is None else self.extensions.write(now, self.audio_level)
        return build_rtp(payload_type, sequence_number, timestamp, self.ssrc, payload, marker, extension)
