"""The receiver of a call's audio: from plain RTP packets to frames, whatever source and format they come from."""

from collections import deque
from collections.abc import Mapping
from typing import Final

from glottis.contracts.audio import FRAME_SECONDS, AudioFrame, EncodedPacket, FrameTap
from glottis.contracts.codec import CodecSpec
from glottis.rtp.comfort_noise import Background
from glottis.rtp.counters import PlayoutStatistics, SourceStatistics
from glottis.rtp.delay import DelayPolicy, FixedDelay
from glottis.rtp.header_extensions import ExtensionReader
from glottis.rtp.jitter_buffer import JitterBuffer
from glottis.rtp.missing import MissingPackets
from glottis.rtp.payload import PacketWatch, PayloadReader
from glottis.rtp.playout import Playout
from glottis.rtp.sequence import extend_timestamp
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted

DEFAULT_CLOCK_RATE: Final = 8000
"""Hertz, until there is a reader that knows better."""
MIN_SEQUENTIAL: Final = 3
"""Packets in sequence that a new source must show before it replaces the old one (compare RFC 3550 A.1)."""
SOURCE_TIMEOUT: Final = 0.1
"""Seconds that the old source must have been silent before a new one replaces it: two at once do not take turns."""
MAX_CANDIDATES: Final = 4
"""New sources watched at a time; the one that came first is forgotten for another."""


class AudioReceiver:
    """One incoming audio track. Feed it plain (decrypted) RTP, and call one of its ``next_`` methods every media tick.

    ``readers`` are by payload type; packets of others hold no audio for us, and are counted. ``sample_rate`` in hertz
    is that of the frames, ``frame_seconds`` their length and the time between media ticks, ``delay`` says how long
    packets wait, and ``tap`` gets each frame before anybody else, as ``watch`` does with packets.
    ``statistics``, which readers may share, and ``source`` (None before the first packet) hold what was counted;
    ``background``, which they may share too, is the noise of the line.
    """

    def __init__(
        self,
        readers: Mapping[int, PayloadReader],
        *,
        sample_rate: int,
        delay: DelayPolicy | None = None,
        tap: FrameTap | None = None,
        watch: PacketWatch | None = None,
        statistics: PlayoutStatistics | None = None,
        background: Background | None = None,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        self._readers = readers
        self._tap = tap
        self.delay = delay or FixedDelay()
        self.statistics = PlayoutStatistics() if statistics is None else statistics
        self.background = Background() if background is None else background
        self.source: SourceStatistics | None = None
        self.extensions: ExtensionReader | None = None
        """Of the headers of packets, as negotiated."""
        self.missing: MissingPackets | None = None
        """Which may be asked for, if the peer sends again what is."""
        clock_rate = next((reader.clock_rate for reader in readers.values()), DEFAULT_CLOCK_RATE)
        self._buffer = JitterBuffer(clock_rate, self.delay, self.statistics, frame_seconds)
        self._playout = Playout(self._buffer, self.statistics, self.background, sample_rate, frame_seconds)
        self._playout.watch = watch
        self._newest_timestamp = 0
        self._candidates: dict[int, deque[tuple[RtpPacket, float]]] = {}

    def allow_head_start(self) -> None:
        """What has come so far are the peer's first words, however long they wait for the first media tick."""
        self.delay.allow_head_start()

    @property
    def clock_rate(self) -> int:
        """The RTP clock of the format received last, in hertz."""
        return self._buffer.clock_rate

    @property
    def codec(self) -> CodecSpec | None:
        """Of what was decoded last; None while nothing was."""
        return self._playout.codec

    @property
    def sample_rate(self) -> int:
        """Of frames, in hertz."""
        return self._playout.sample_rate

    @property
    def starts_at(self) -> float | None:
        """When the first frame can be had of packets that have begun to come; None before and afterwards."""
        return self._buffer.starts_at

    def set_readers(self, readers: Mapping[int, PayloadReader]) -> None:
        """Take those of a renegotiation; what has been received was read by its own."""
        self._readers = readers

    def clear(self) -> None:
        """Drop what waits to be played; what comes next is played after the delay, as in the beginning."""
        self._buffer.restart()

    def handle_rtp(self, packet: bytes, now: float) -> bool:
        """Take in a plain RTP packet. Raises ``Malformed`` for one that cannot be read or played.

        Says whether playout waits to begin: ``starts_at`` may be another now.
        """
        rtp = parse_rtp_untrusted(packet)
        level = None
        if rtp.extension and self.extensions is not None:
            level = self.extensions.read_untrusted(rtp.extension, now)
        source = self.source
        if source is None:
            if rtp.payload_type not in self._readers:
                self.statistics.packets_unknown += 1
                return False
            source = self._begin_source(rtp)
        if rtp.ssrc == source.ssrc:
            self._receive(source, rtp, now, level)
        else:
            self._watch_candidate(source, rtp, now)
        return self._buffer.starts_at is not None

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """The frame of this media tick; None before playout starts and after a second without packets.

        The packets that it is made of are appended to ``packets``, for those who want both.
        """
        frame = self._playout.next_frame(now, packets)
        return frame if self._tap is None or frame is None else self._tap(frame)

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """The packets that start in this media tick, in order, without those that came too late.

        Where there is a tap they are decoded for it, and those of its frame are returned.
        """
        if self._tap is None:
            return self._playout.next_packets(now)
        packets: list[EncodedPacket] = []
        self.next_frame(now, packets)
        return packets

    def heed_goodbye(self) -> None:
        """The source has left: another one need not wait. It may come back itself, as Firefox's does after a hold."""
        if self.source is not None:
            self.source.last_packet_at = -SOURCE_TIMEOUT
            if self.missing is not None:
                self.missing.restart()

    def _receive(self, source: SourceStatistics, rtp: RtpPacket, now: float, level: int | None = None) -> None:
        payload_type, _, sequence_number, rtp_timestamp, _, payload, _ = rtp
        sequence = source.receive(sequence_number, len(payload), now)
        if sequence is None:
            self.statistics.packets_stray += 1
            return
        missing, buffer = self.missing, self._buffer
        if missing is not None:
            if sequence == missing.next:
                missing.next = sequence + 1
            else:
                now = missing.arrived(sequence, now)
        reader = self._readers.get(payload_type)
        if reader is None:
            self.statistics.packets_unknown += 1
            buffer.note_foreign(sequence)
            return
        timestamp = extend_timestamp(rtp_timestamp, self._newest_timestamp)
        packets = reader.read_untrusted(payload, sequence, timestamp, now, level)
        if not packets:  # an event, or a keepalive that is all padding
            buffer.note_foreign(sequence)
            return
        clock_rate = reader.clock_rate
        if clock_rate != buffer.clock_rate:
            self._change_clock(clock_rate, source)
        source.measure_jitter(rtp_timestamp, clock_rate, now)
        self._newest_timestamp = timestamp
        for packet in packets:
            buffer.insert(packet)

    def _change_clock(self, clock_rate: int, source: SourceStatistics) -> None:
        """Timestamps of another rate count from anywhere (RFC 7160 §4.1): what waits of the old ones is given up."""
        self._buffer.restart(clock_rate)
        source.restart_jitter()

    def _begin_source(self, rtp: RtpPacket) -> SourceStatistics:
        self.source = SourceStatistics(rtp.ssrc, rtp.sequence_number)
        self._candidates.clear()
        if self.missing is not None:
            self.missing.restart()
        return self.source

    def _watch_candidate(self, source: SourceStatistics, rtp: RtpPacket, now: float) -> None:
        """Another SSRC: a restarted sender, a stray, or a second stream, which is left alone (RFC 3550 §8.2)."""
        self.statistics.packets_stray += 1
        if rtp.payload_type not in self._readers:
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
