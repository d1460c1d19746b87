"""The receiver of a call's audio: from plain RTP packets to frames, whatever source and format they come from."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import Malformed
from glottis.rtp.jitter_buffer import BufferedPacket, JitterBuffer
from glottis.rtp.playout import Playout
from glottis.rtp.sequence import extend_timestamp
from glottis.rtp.statistics import PlayoutStatistics, SourceStatistics
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted

DEFAULT_TARGET_DELAY: Final = 0.04
"""Seconds that a packet waits before it is played, so that the next two may overtake each other."""
MAX_PACKET_DURATION: Final = 0.2
"""Seconds, "a receiver SHOULD accept packets representing between 0 and 200 ms of audio data" (RFC 3551 §4.2)."""
MIN_SEQUENTIAL: Final = 3
"""Packets in sequence that a new source must show before it replaces the old one (compare RFC 3550 A.1)."""
SOURCE_TIMEOUT: Final = 0.1
"""Seconds that the old source must have been silent before a new one replaces it: two at once do not take turns."""
MAX_CANDIDATES: Final = 4
"""New sources watched at a time; the one that came first is forgotten for another."""


@dataclass(frozen=True, slots=True)
class ReceiveFormat:
    """A payload type as negotiated, and its codec."""

    payload_type: int
    codec: CodecSpec


class AudioReceiver:
    """One incoming audio track. Feed it plain (decrypted) RTP, and call one of its ``next_`` methods every media tick.

    ``sample_rate`` in hertz is that of the frames, ``frame_ms`` their length and that of a tick, ``target_delay`` in
    seconds the playout delay. ``statistics`` and ``source`` (None before the first packet) hold what was counted.
    """

    def __init__(
        self,
        formats: Sequence[ReceiveFormat],
        *,
        sample_rate: int,
        frame_ms: float = 20,
        target_delay: float = DEFAULT_TARGET_DELAY,
    ) -> None:
        self._codecs = _codecs_by_payload_type(formats)
        self.statistics = PlayoutStatistics()
        self.source: SourceStatistics | None = None
        clock_rate = formats[0].codec.clock_rate if formats else 8000
        self._buffer = JitterBuffer(clock_rate, target_delay, self.statistics)
        self._playout = Playout(self._buffer, self.statistics, sample_rate=sample_rate, frame_ms=frame_ms)
        self._newest_timestamp = 0
        self._candidates: dict[int, deque[tuple[RtpPacket, float]]] = {}

    @property
    def target_delay(self) -> float:
        """The playout delay in seconds; a smaller one takes effect within a second, a larger one at the next start."""
        return self._buffer.target_delay

    @target_delay.setter
    def target_delay(self, seconds: float) -> None:
        self._buffer.target_delay = seconds

    def allow_head_start(self) -> None:
        """What has come so far are the peer's first words, however long they wait for the first media tick."""
        self._buffer.allow_head_start()

    @property
    def clock_rate(self) -> int:
        """The RTP clock of the format received last, in hertz."""
        return self._buffer.clock_rate

    def set_formats(self, formats: Sequence[ReceiveFormat]) -> None:
        """Take the formats of a renegotiation; what has been received keeps its own."""
        self._codecs = _codecs_by_payload_type(formats)

    def handle_rtp(self, packet: bytes, now: float) -> None:
        """Take in a plain RTP packet. Raises ``Malformed`` for one that cannot be read or played."""
        rtp = parse_rtp_untrusted(packet)
        source = self.source
        if source is None:
            if rtp.payload_type not in self._codecs:
                self.statistics.packets_unknown += 1
                return
            source = self._begin_source(rtp)
        if rtp.ssrc == source.ssrc:
            self._receive(source, rtp, now)
        else:
            self._watch_candidate(source, rtp, now)

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """The frame of this media tick; None before playout starts and after a second without packets.

        The packets that it is made of are appended to ``packets``, for those who want both.
        """
        return self._playout.next_frame(now, packets)

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """The packets that start in this media tick, in order, without those that came too late."""
        return self._playout.next_packets(now)

    def _receive(self, source: SourceStatistics, rtp: RtpPacket, now: float) -> None:
        sequence = source.receive(rtp.sequence_number, len(rtp.payload), now)
        if sequence is None:
            return
        codec = self._codecs.get(rtp.payload_type)
        if codec is None or not rtp.payload:
            self._note_foreign(sequence, codec)
            return
        duration = codec.payload_duration_untrusted(rtp.payload)
        if not 0 < duration <= MAX_PACKET_DURATION * codec.clock_rate:
            raise Malformed("RTP: expected a payload of more than 0 and at most 200 ms")
        buffer = self._buffer
        if codec.clock_rate != buffer.clock_rate:
            self._change_clock(codec.clock_rate, source)
        source.measure_jitter(rtp.timestamp, codec.clock_rate, now)
        self._newest_timestamp = timestamp = extend_timestamp(rtp.timestamp, self._newest_timestamp)
        buffer.insert(BufferedPacket(sequence, timestamp, duration, rtp.payload, codec, now))

    def _note_foreign(self, sequence: int, codec: CodecSpec | None) -> None:
        """Events and comfort noise share the source's sequence numbers; so do keepalives that are all padding."""
        if codec is None:
            self.statistics.packets_unknown += 1
        self._buffer.note_foreign(sequence)

    def _change_clock(self, clock_rate: int, source: SourceStatistics) -> None:
        """Timestamps of another rate count from anywhere (RFC 7160 §4.1): what waits of the old ones is given up."""
        self._buffer.restart(clock_rate)
        source.restart_jitter()

    def _begin_source(self, rtp: RtpPacket) -> SourceStatistics:
        self.source = SourceStatistics(rtp.ssrc, rtp.sequence_number)
        self._candidates.clear()
        return self.source

    def _watch_candidate(self, source: SourceStatistics, rtp: RtpPacket, now: float) -> None:
        """Another SSRC: a restarted sender, a stray, or a second stream, which is left alone (RFC 3550 §8.2)."""
        if rtp.payload_type not in self._codecs:
            return
        packets = self._candidates.get(rtp.ssrc)
        if packets is None:
            packets = self._add_candidate(rtp.ssrc)
        if packets and rtp.sequence_number != (packets[-1][0].sequence_number + 1) & 0xFFFF:
            packets.clear()
        packets.append((rtp, now))
        if len(packets) == MIN_SEQUENTIAL and now - source.last_packet_at >= SOURCE_TIMEOUT:
            self._switch_source(packets)

    def _add_candidate(self, ssrc: int) -> deque[tuple[RtpPacket, float]]:
        if len(self._candidates) >= MAX_CANDIDATES:
            del self._candidates[next(iter(self._candidates))]
        packets = self._candidates[ssrc] = deque(maxlen=MIN_SEQUENTIAL)
        return packets

    def _switch_source(self, packets: deque[tuple[RtpPacket, float]]) -> None:
        self._buffer.restart()
        source = self._begin_source(packets[0][0])
        for rtp, arrived_at in packets:
            self._receive(source, rtp, arrived_at)


def _codecs_by_payload_type(formats: Sequence[ReceiveFormat]) -> dict[int, CodecSpec]:
    return {receive_format.payload_type: receive_format.codec for receive_format in formats}
