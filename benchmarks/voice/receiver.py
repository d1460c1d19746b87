"""The receiver that judges: it never changes, so that what it hears is the sender's and the network's doing.

It plays every packet ``BUFFER`` seconds after the moment at which the quickest packet of the first second would have
come in its place. A packet that comes later than that is lost. The frame before a packet that follows lost ones comes
from the in-band FEC of that packet, where it has some; what else is missing is concealed by the decoder, for 100 ms at
most, and then silent. Only when all packets of ``PATIENCE`` seconds have come too late does it begin anew.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from glottis.contracts.codec import CodecSpec, Decoder
from glottis.lab.samples import RATE, Samples

BUFFER: Final = 0.06
MAX_CONCEALMENT: Final = 0.1
PATIENCE: Final = 0.1
"""Seconds of audio."""
_FIRST: Final = 1.0
"""Seconds."""


class Packet(NamedTuple):
    """An RTP packet as it came. ``sequence`` and ``timestamp`` are extended over their wraps."""

    arrived_at: float
    sequence: int
    timestamp: int
    payload: bytes


class Played(NamedTuple):
    """What was heard from ``began_at`` on, and how long packets waited for that on average, in seconds."""

    samples: Samples
    mean_wait: float


def play(packets: Sequence[Packet], codec: CodecSpec, began_at: float, seconds: float) -> Played:
    """What a listener hears of these packets, from the moment ``began_at`` on."""
    receiver = _Receiver(codec, began_at, seconds)
    arrived = {packet.sequence: packet for packet in sorted(packets, reverse=True)}  # of copies the first
    if arrived:
        receiver.anchor_at(_least_transit(list(arrived.values()), codec.clock_rate))
    for sequence in sorted(arrived):
        receiver.take(arrived[sequence])
    waits = receiver.waits
    return Played(receiver.output, float(np.mean(waits)) if waits else 0.0)


def _least_transit(packets: Sequence[Packet], clock_rate: int) -> float:
    first = min(packet.arrived_at for packet in packets)
    return min(
        packet.arrived_at - packet.timestamp / clock_rate for packet in packets if packet.arrived_at <= first + _FIRST
    )


class _Receiver:
    def __init__(self, codec: CodecSpec, began_at: float, seconds: float) -> None:
        self.output = np.zeros(round(seconds * RATE), np.int16)
        self.waits: list[float] = []
        self._codec = codec
        self._began_at = began_at
        self._decoder: Decoder = codec.create_decoder(RATE)
        self._offset = 0.0
        """What to add to the seconds of a timestamp to have the moment at which it is played."""
        self._late = 0.0
        """Seconds of audio that have come too late, one packet after the other."""
        self._end: int | None = None
        """Where the output ends that was made last, in samples."""
        self._last_sequence = 0

    def anchor_at(self, transit: float) -> None:
        self._offset = transit + BUFFER

    def take(self, packet: Packet) -> None:
        """The next one in order."""
        due = packet.timestamp / self._codec.clock_rate + self._offset
        if packet.arrived_at > due:
            self._late += self._codec.payload_duration_untrusted(packet.payload) / self._codec.clock_rate
            if self._late < PATIENCE:
                return
            self.anchor_at(packet.arrived_at - packet.timestamp / self._codec.clock_rate)
            due = packet.arrived_at + BUFFER
        self._late = 0.0
        self.waits.append(due - packet.arrived_at)
        self._play(packet, round((due - self._began_at) * RATE))

    def _play(self, packet: Packet, start: int) -> None:
        if self._end is not None:
            lost = packet.sequence - self._last_sequence - 1
            if lost > 0 and start > self._end:
                self._fill(packet, start - self._end)
        pcm = np.frombuffer(self._decoder.decode(packet.payload), np.int16)
        if self._end is not None and start < self._end:  # half a sample of rounding, or a new beginning
            pcm, start = pcm[self._end - start :], self._end
        self._write(pcm, start)
        self._last_sequence = packet.sequence

    def _fill(self, packet: Packet, missing: int) -> None:
        assert self._end is not None
        duration = self._codec.payload_duration_untrusted(packet.payload) * RATE // self._codec.clock_rate
        recovered = min(duration, missing)
        concealed = min(missing - recovered, round(MAX_CONCEALMENT * RATE))
        if concealed:
            self._write(np.frombuffer(self._decoder.conceal(concealed), np.int16), self._end)
        pcm = self._decoder.decode_fec(packet.payload, recovered)
        self._write(np.frombuffer(pcm, np.int16), self._end + missing - recovered - concealed)

    def _write(self, pcm: Samples, start: int) -> None:
        self._end = start + len(pcm)
        first, last = max(0, start), min(len(self.output), self._end)
        if first < last:
            self.output[first:last] = pcm[first - start : last - start]
