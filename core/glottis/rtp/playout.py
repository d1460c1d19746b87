"""Playout: one frame of audio for each media tick, decoded, recovered or concealed."""

from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame, EncodedPacket
from glottis.contracts.codec import CodecSpec, Decoder
from glottis.contracts.errors import Malformed
from glottis.rtp.comfort_noise import Background
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.jitter_buffer import TICK_TOLERANCE, JitterBuffer
from glottis.rtp.payload import BufferedPacket, PacketWatch
from glottis.rtp.stretch import SEARCHED, Loudness, add, compressed, stretched

MAX_CONCEALMENT: Final = 0.12
"""Seconds in a row that a decoder may invent, while the noise of the line comes up; after that it is that alone, for
speech invented longer sounds wrong."""
STREAM_TIMEOUT: Final = 1.0
"""Seconds without audio packets after which there are no frames, until packets come again."""


class Playout:
    """Draws from a jitter buffer frames, packets or both; a call of either method advances its position by one tick.

    ``sample_rate`` (hertz) is what frames are decoded to, and ``frame_seconds`` how long they and ticks are.
    """

    __slots__ = (
        "_active",
        "_background",
        "_buffer",
        "_conceal_left",
        "_decoder",
        "_frame_bytes",
        "_frame_samples",
        "_frame_seconds",
        "_invents",
        "_loudness",
        "_max_concealment",
        "_pending",
        "_searched_bytes",
        "_statistics",
        "_stopped_at",
        "_taken",
        "_ticked_at",
        "_timestamp",
        "_two_ticks",
        "codec",
        "sample_rate",
        "watch",
    )

    def __init__(
        self,
        buffer: JitterBuffer,
        statistics: PlayoutStatistics,
        background: Background,
        sample_rate: int,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        self.sample_rate = sample_rate
        self._buffer = buffer
        self._statistics = statistics
        self._background = background
        self._frame_seconds = frame_seconds
        self._frame_samples = round(sample_rate * frame_seconds)
        self._frame_bytes = self._frame_samples * BYTES_PER_SAMPLE
        self._searched_bytes = round(sample_rate * SEARCHED) * BYTES_PER_SAMPLE
        self._max_concealment = round(sample_rate * MAX_CONCEALMENT)
        self._conceal_left = 0
        self.codec: CodecSpec | None = None
        """Of what was decoded last."""
        self._decoder: Decoder | None = None
        self._pending = b""
        """Decoded, and for later ticks: the rest of a packet longer than a frame."""
        self._active = False
        self._timestamp = 0
        self._ticked_at = 0.0
        self._two_ticks = 2 * frame_seconds - TICK_TOLERANCE
        self._stopped_at: float | None = None
        self._loudness = Loudness(frame_seconds)
        self._invents = False
        """Whether what was produced last is no speech of the sender's."""
        self._taken: list[EncodedPacket] | None = None
        """Where the packets of this tick's frame are noted, if anybody wants them too."""
        self.watch: PacketWatch | None = None
        """Is told of all packets that are played or taken."""

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """The frame of this tick; None before the first packet is due and while the stream has stopped.

        The packets that are taken out for it are appended to ``packets``, for those who want both.
        """
        if not self._runs(now):
            return None
        self._taken = packets
        pcm = self._pending
        while len(pcm) < self._frame_bytes:  # once for a packet of one frame: adding to empty bytes copies nothing
            pcm += self._produce(now)
        if self._buffer.adapts and not self._invents:
            pcm = self._changed(pcm, now)
        self._pending = pcm[self._frame_bytes :]
        timestamp = self._timestamp
        self._timestamp = timestamp + self._frame_samples
        self._statistics.total_samples_received += self._frame_samples
        self._end_tick(now)
        return AudioFrame(pcm[: self._frame_bytes], self.sample_rate, timestamp)

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """The packets that start within this tick, for those who decode themselves."""
        if not self._runs(now):
            return []
        buffer, waiting = self._buffer, self._buffer.waiting
        packets: list[EncodedPacket] = []
        if not waiting:
            buffer.pass_time(buffer.frame_units, now)
        else:
            buffer.make_up(waiting[0], now)
            end = buffer.position = buffer.position + buffer.frame_units
            while waiting and waiting[0].timestamp < end:
                packet = buffer.pop()
                self._count_delay(packet, now)
                packets.append(self._taken_out(packet))
        self._end_tick(now)
        return packets

    def _runs(self, now: float) -> bool:
        buffer = self._buffer
        elapsed, self._ticked_at = now - self._ticked_at, now
        if elapsed > self._two_ticks and buffer.playing:
            buffer.miss((int((elapsed + TICK_TOLERANCE) / self._frame_seconds) - 1) * buffer.frame_units)
        if buffer.playing or buffer.start(now):
            if not self._active:
                self._resume(now)
        elif not self._active:
            return False
        last = buffer.last_arrival
        if now - last > STREAM_TIMEOUT and now - self._background.told_at > STREAM_TIMEOUT and buffer.first() is None:
            self._stop(now)
        return self._active

    def _resume(self, now: float) -> None:
        """The timestamp goes on with real time, in whole frames."""
        self._active = True
        if self._stopped_at is not None:
            self._timestamp += round((now - self._stopped_at) / self._frame_seconds) * self._frame_samples

    def _stop(self, now: float) -> None:
        self._active = False
        self._stopped_at = now
        self._pending = b""
        self._buffer.restart()

    def _produce(self, now: float) -> bytes:
        """The next samples of the stream: about a frame, or a whole packet. May be none, with progress.

        What is concealed is a whole frame where it can be: decoders conceal in steps, and what is cut off one clicks.
        """
        buffer = self._buffer
        packet = buffer.first() if buffer.playing else None
        if packet is None:
            is_silent = buffer.is_silent_before(None)
            buffer.pass_time(self._clock_units(self._frame_samples), now)
            return self._silence(self._frame_samples) if is_silent else self._conceal(self._frame_samples)
        gap = buffer.make_up(packet, now)
        if gap <= 0:
            return self._play(buffer.pop(), -gap, now)
        return self._bridge(packet, gap)

    def _play(self, packet: BufferedPacket, overlap: int, now: float) -> bytes:
        """Decode a packet, without what was concealed in its place before it came."""
        if self._taken is not None:
            self._taken.append(self._taken_out(packet))
        elif self.watch is not None:
            self._taken_out(packet)
        unheard = packet.duration - overlap
        if unheard <= 0:
            self._statistics.packets_discarded += 1
            return b""
        self._buffer.position += unheard
        self._count_delay(packet, now)
        decoder = self._decoder
        if decoder is None or packet.codec is not self.codec:
            decoder = self._new_decoder(packet.codec)
        try:
            pcm = decoder.decode(packet.payload)
        except Malformed:
            self._statistics.decoder_errors += 1
            return self._conceal(self._samples(unheard))
        self._conceal_left = self._max_concealment
        self._invents = False
        self._background.hear(pcm)
        return pcm[self._samples(overlap) * BYTES_PER_SAMPLE :] if overlap else pcm

    def _bridge(self, packet: BufferedPacket, gap: int) -> bytes:
        """Fill the gap before ``packet``: its last frame from the packet's redundancy if it was lost, else concealed;
        with silence, where events took the place of audio.

        In-band redundancy describes the one frame before its packet, whose duration is taken to be the same, and more
        where the codec says so.
        """
        gap_samples = self._samples(gap)
        if gap_samples == 0:
            self._buffer.position = packet.timestamp
            return b""
        is_silent = self._buffer.is_silent_before(packet)
        recoverable = 0 if is_silent else self._recoverable_samples(packet)
        if gap_samples <= recoverable:
            self._buffer.position = packet.timestamp
            return self._recover(packet, gap_samples)
        samples = min(self._frame_samples, gap_samples - recoverable)
        self._buffer.position += gap if samples == gap_samples else self._clock_units(samples)
        return self._silence(samples) if is_silent else self._conceal(samples)

    def _recoverable_samples(self, packet: BufferedPacket) -> int:
        was_lost = packet.codec is self.codec and self._buffer.missing_before(packet) > 0
        if not was_lost:
            return 0
        return self._samples(max(packet.duration, packet.codec.redundancy_reach(packet.payload)))

    def _recover(self, packet: BufferedPacket, samples: int) -> bytes:
        assert self._decoder is not None  # it has decoded the codec of this packet
        self._statistics.recovery_attempts += 1
        try:
            pcm = self._decoder.decode_fec(packet.payload, samples)
        except Malformed:
            return self._conceal(samples)
        codec, payload = packet.codec, packet.payload
        if codec.has_redundancy(payload) or codec.redundancy_reach(payload):  # else the decoder has made up something
            self._statistics.fec_recovered_samples += samples
        self._count_concealed(samples)
        return pcm

    def _conceal(self, samples: int) -> bytes:
        """Exactly so many samples, invented by the decoder as long as that sounds right, then noise of the line."""
        self._invents = True
        may_invent = self._conceal_left > 0 and samples > 0
        noisy = 1.0 - self._conceal_left / self._max_concealment
        self._count_concealed(samples)
        if not may_invent or self._decoder is None:
            self._statistics.silent_concealed_samples += samples
            return self._background.noise(samples)
        pcm = self._decoder.conceal(samples)[: samples * BYTES_PER_SAMPLE].ljust(samples * BYTES_PER_SAMPLE, b"\0")
        return add(pcm, self._background.noise(samples, noisy)) if noisy > 0.0 else pcm

    def _silence(self, samples: int) -> bytes:
        """In place of what the sender has left out: noise, if it says so, and else nothing. Nothing is concealed."""
        self._invents = True
        loudness = self._background.told_after(self._buffer.last_sequence)
        return bytes(samples * BYTES_PER_SAMPLE) if loudness is None else self._background.noise(samples, 1.0, loudness)

    def _changed(self, pcm: bytes, now: float) -> bytes:
        """A frame and what is pending, longer or shorter as the delay asks for."""
        is_pause = self._loudness.is_pause(pcm)
        more = len(pcm) - self._frame_bytes
        pending = self._clock_units(more // BYTES_PER_SAMPLE) if more else 0
        change = self._buffer.change(now, pending, is_pause)
        if not change:
            return pcm
        pause = abs(change) if is_pause else 0.0
        return self._longer(pcm, pause) if change > 0 else self._shorter(pcm, pause, now)

    def _longer(self, pcm: bytes, pause: float) -> bytes:
        longer = stretched(pcm, self.sample_rate, pause=pause)
        self._statistics.inserted_samples_for_deceleration += (len(longer) - len(pcm)) // BYTES_PER_SAMPLE
        return longer

    def _shorter(self, pcm: bytes, pause: float, now: float) -> bytes:
        """As far as there is something to go on with."""
        if pause >= self._frame_seconds:
            return self._without_quiet_frames(pcm, round(pause / self._frame_seconds), now)
        while len(pcm) < self._searched_bytes and self._buffer.first() is not None:
            pcm += self._produce(now)
        shorter = compressed(pcm, self.sample_rate, pause=pause)
        if len(shorter) < self._frame_bytes and self._buffer.first() is None:
            return pcm
        self._statistics.removed_samples_for_acceleration += (len(pcm) - len(shorter)) // BYTES_PER_SAMPLE
        while len(shorter) < self._frame_bytes:
            shorter += self._produce(now)
        return shorter

    def _without_quiet_frames(self, pcm: bytes, most: int, now: float) -> bytes:
        """Without frames of a pause, as long as it goes on after them."""
        frame = self._frame_bytes
        for _ in range(most):
            while len(pcm) < 2 * frame and self._buffer.first() is not None:
                pcm += self._produce(now)
            if len(pcm) < 2 * frame or not self._loudness.is_pause(pcm[frame : 2 * frame]):
                break
            pcm = compressed(pcm, self.sample_rate, pause=self._frame_seconds)
            self._statistics.removed_samples_for_acceleration += self._frame_samples
        return pcm

    def _count_concealed(self, samples: int) -> None:
        if self._conceal_left == self._max_concealment:
            self._statistics.concealment_events += 1
        self._conceal_left -= samples
        self._statistics.concealed_samples += samples

    def _count_delay(self, packet: BufferedPacket, now: float) -> None:
        _, _, duration, _, codec, arrived_at, _, _ = packet
        samples, statistics = duration * self.sample_rate // codec.clock_rate, self._statistics
        statistics.jitter_buffer_delay += (now - arrived_at) * samples
        statistics.jitter_buffer_target_delay += self._buffer.target_delay * samples
        statistics.jitter_buffer_emitted_count += samples

    def _new_decoder(self, codec: CodecSpec) -> Decoder:
        """The decoder of the stream, from the beginning or after a change of codec."""
        self.codec = codec
        self._decoder = decoder = codec.create_decoder(self.sample_rate)
        return decoder

    def _taken_out(self, packet: BufferedPacket) -> EncodedPacket:
        """The packet popped last, as agents see it, and who watches."""
        _, timestamp, duration, payload, codec, _, _, level = packet
        name, clock_rate, lost_before = codec.encoding_name, codec.clock_rate, self._buffer.lost_before
        encoded = EncodedPacket(payload, name, clock_rate, timestamp & 0xFFFFFFFF, duration, lost_before, level)
        if self.watch is not None:
            self.watch(encoded, codec)
        return encoded

    def _end_tick(self, now: float) -> None:
        pending = self._clock_units(len(self._pending) // BYTES_PER_SAMPLE) if self._pending else 0
        skipped = self._buffer.end_tick(now, pending)
        if skipped:
            self._statistics.removed_samples_for_acceleration += self._samples(skipped)

    def _samples(self, clock_units: int) -> int:
        return clock_units * self.sample_rate // self._buffer.clock_rate

    def _clock_units(self, samples: int) -> int:
        return samples * self._buffer.clock_rate // self.sample_rate
