"""What is in a recording's packets, as samples."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from glottis import CodecSpec, Decoder, Malformed

from glottis_recorder.timeline import RATE

BYTES_PER_SAMPLE: Final = 2
MAX_CONCEALED: Final = 0.12
"""Seconds of lost packets that a decoder may invent; what is lost beyond is silent."""


class Placed(NamedTuple):
    """A packet, and where it begins: in samples at 48 kHz from the beginning of the recording."""

    position: int
    payload: bytes
    codec: CodecSpec
    was_lost: bool
    """Whether packets are missing before it."""


class Voice:
    """Decodes one direction. ``sample_rate`` in hertz is that of the samples."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._codec: CodecSpec | None = None
        self._decoder: Decoder | None = None
        self._end = 0
        """Where what was decoded last ends, in samples."""

    def samples(self, packet: Placed) -> Iterator[tuple[int, bytes]]:
        """Where its samples begin, and the samples; before them perhaps those that a decoder has put in a gap."""
        position = packet.position * self._rate // RATE
        if self._decoder is None or packet.codec is not self._codec:
            self._codec, self._decoder = packet.codec, packet.codec.create_decoder(self._rate)
        gap = position - self._end
        if packet.was_lost and 0 < gap <= MAX_CONCEALED * self._rate:
            yield self._end, self._decoder.conceal(gap)[: gap * BYTES_PER_SAMPLE]
        try:
            pcm = self._decoder.decode(packet.payload)
        except Malformed:
            return
        overlap = max(0, self._end - position)
        self._end = max(self._end, position + len(pcm) // BYTES_PER_SAMPLE)
        if pcm := pcm[overlap * BYTES_PER_SAMPLE :]:
            yield position + overlap, pcm
