"""The sender of a call's audio: from samples of any chunking to RTP packets at their time."""

import random
from typing import Final, cast

from glottis.contracts.audio import FRAME_SECONDS, AudioFrame, EncodedPacket, FrameTap
from glottis.contracts.call import Heard
from glottis.contracts.codec import AdjustableEncoder, CodecSpec, Encoder
from glottis.contracts.short_queue import ShortQueue
from glottis.rtp.framer import Framer
from glottis.rtp.level import audio_level
from glottis.rtp.outgoing import OutgoingStream
from glottis.rtp.pauses import Pauses
from glottis.rtp.payload import MAX_PAYLOAD_LENGTH, PayloadWriter
from glottis.rtp.tones import Tone, ToneStep, ToneWriter

SPURT_GRACE: Final = 0.01
"""Seconds that a packet may be overdue when a tick finds the queue empty: the first such tick does not end the talk
spurt, so audio that comes a little late goes on without a break in its timestamps; the second one does."""
PHASE_CREEP: Final = 0.0001
"""Seconds for each tick: how early regular ticks were is forgotten as slowly, for their slot may have changed."""
EVENNESS: Final = 0.001
"""Seconds by which regular ticks may differ."""
MAX_CATCH_UP: Final = 0.1
"""Seconds; what a longer stall has held up goes out after a gap, not as a burst, which the listener would discard."""
MAX_RELAYED_GAP: Final = 1.0
"""Seconds; a larger step in the timestamps of relayed packets is a splice of recordings, not a gap."""


class AudioSender(OutgoingStream):
    """One outgoing audio track, packets of ``frame_ms`` each. Call ``next_packets`` every ``tick`` seconds.

    What is written goes out in order, one codec frame to a packet, in real time: an owner keeps the queue short by
    writing only while ``queued`` is below its limit, and that is the queue's bound. Nothing is sent while nothing is
    queued, or silence is if ``fills``; the timestamp then goes on with real time in whole frames, and the first packet
    after it carries the marker (RFC 3551 §4.1). Ticks longer than a packet send several at once. ``tap`` gets each
    frame last, before it is encoded. Tones take their turn in the queue, as ``tones`` writes them.
    ``complexity`` is what the encoder was made with. ``head_start`` is how many seconds of a talk spurt leave at once.
    """

    pauses: Pauses | None = None
    """If there are, pauses are not sent, but told. This and ``fills`` may be set at any time."""
    fills = False
    """Whether silence is sent while nothing is queued."""
    expects_loss = False
    """Whether the encoder was told of loss, so that what it sends may be redundant."""
    target_bitrate: int | None = None
    """Bits per second that are aimed at, copies included; None for a codec with one bitrate."""

    def __init__(
        self,
        *,
        ssrc: int,
        writer: PayloadWriter,
        codec: CodecSpec,
        encoder: Encoder,
        sample_rate: int,
        frame_ms: float = 1000 * FRAME_SECONDS,
        tick: float = FRAME_SECONDS,
        rng: random.Random,
        tap: FrameTap | None = None,
        complexity: int | None = None,
        head_start: float = 0.0,
    ) -> None:
        super().__init__(ssrc, codec.clock_rate, rng)
        self.encoder = encoder
        self._adjustable = _adjustable(encoder)
        self.complexity = complexity if self._adjustable is not None else None
        """At which the encoder works, None if that cannot be changed."""
        self._encoding_name = codec.encoding_name
        self.has_moved_on = False
        """Whether something has left the queue in the last tick: pauses and gaps do so without a packet."""
        self.is_idle = False
        """Whether there was nothing, or nothing more, in the last tick that could have gone out."""
        self.writer = writer
        """May be replaced by another one of the same codec."""
        self._codec = codec
        self._sample_rate = sample_rate
        self._tap = tap
        self._tick = tick
        self._head_start = head_start
        self._set_frame(frame_ms)
        self.tones = ToneWriter(codec.clock_rate, self._frame_seconds)
        self._queue: ShortQueue[bytes | EncodedPacket | ToneStep] = ShortQueue()
        self._queued_units = self._spurt_units = 0
        self._due = 0.0
        """When the next packet is due, on the clock of ``now``."""
        self._phase = 0.0
        """How late the first packet of a regular tick leaves, which may be below zero: the least of late."""
        self._talking = False
        self._relayed_until: int | None = None

    def _set_frame(self, frame_ms: float) -> None:
        self.packet_ms = frame_ms
        self._frame_seconds = seconds = frame_ms / 1000
        # About half a frame is left for ticks to be early or late in, so that an uneven tick does not send two or none:
        # not just half of it, since spurts begin whole slots of the wheel off the ticks.
        self._slack = self._tick - 0.4 * min(seconds, self._tick)
        self._spread = max(0.0, self._tick - seconds) + EVENNESS  # from the first to the last packet of a regular tick
        self._frame_units = round(self.clock_rate * seconds)
        self._framer = Framer(self._sample_rate, seconds)

    def change_packet_time(self, frame_ms: float, encoder: Encoder) -> bool:
        """Send packets of another length from now on, which ``encoder`` makes, also of what waits already.

        Says False, and does nothing, while a tone is under way, which is cut to packet times.
        """
        if any(isinstance(item, ToneStep) for item in self._queue):
            return False
        waiting, rest, self._queue, self._queued_units = self._queue, self._framer.rest, ShortQueue(), 0
        self._set_frame(frame_ms)
        for item in waiting:
            if isinstance(item, bytes):
                self.write(item)
            elif isinstance(item, EncodedPacket):
                self._append_rest()
                self._append(item, item.duration)
        if rest:
            self.write(rest)
        tone_format, self.tones = self.tones.format, ToneWriter(self.clock_rate, self._frame_seconds)
        self.tones.format = tone_format
        self.encoder = encoder
        self._adjustable = _adjustable(encoder)
        if self._adjustable is not None and self.complexity is not None:
            self._adjustable.set_complexity(self.complexity)
        return True

    @property
    def queued(self) -> float:
        """Seconds of audio that wait to be sent."""
        queued = self._queued_units / self.clock_rate
        return queued + self._framer.waiting if self._framer.rest else queued

    @property
    def is_overdue(self) -> bool:
        """Whether what is queued could have gone out in the last tick, had it been there already."""
        return self.is_idle and bool(self._queue)

    def go_on_from(self, before: "AudioSender") -> None:
        """Take over its stream, as another codec on the same SSRC: number, time, and what waits in its queue.

        The timestamp goes on from where it was at the new clock (RFC 3550 §5.1); a change of payload type says so. What
        waits is speech; packets of the old codec are dropped, and so are keys where they go by another clock.
        """
        self._sequence_number = before._sequence_number
        self.packets_sent, self.bytes_sent = before.packets_sent, before.bytes_sent
        self.frames_unsent, self.comfort_noise_sent = before.frames_unsent, before.comfort_noise_sent
        self.fec_packets_sent, self.red_packets_sent = before.fec_packets_sent, before.red_packets_sent
        self.last_sent_at, self.total_lateness = before.last_sent_at, before.total_lateness
        self.is_idle = before.is_idle
        self._due, self._started, self._talking = before._due, before._started, before._talking
        self._phase = before._phase
        elapsed = (before._timestamp - before._first_timestamp & 0xFFFFFFFF) / before.clock_rate
        self._timestamp = before._timestamp
        self._first_timestamp = self._timestamp - round(elapsed * self.clock_rate) & 0xFFFFFFFF
        self._spurt_units = round(before._spurt_units / before.clock_rate * self.clock_rate)
        keeps_keys = (self.clock_rate, self._frame_seconds) == (before.clock_rate, before._frame_seconds)
        if keeps_keys:
            self.tones = before.tones
        for item in before._queue:
            if isinstance(item, bytes):
                self.write(item)
            elif isinstance(item, ToneStep) and keeps_keys:
                self._append(item, self._frame_units)
        self.write(before._framer.rest)

    def set_complexity(self, complexity: int) -> None:
        """Let the encoder work so hard from now on, if it can be told."""
        if self._adjustable is not None and complexity != self.complexity:
            self._adjustable.set_complexity(complexity)
            self.complexity = complexity

    def write(self, pcm: bytes) -> None:
        """Queue whole samples, signed 16-bit mono, of any number. Raises ``ValueError`` for half a sample."""
        frames = self._framer.cut(pcm)
        self._queue += frames
        self._queued_units += len(frames) * self._frame_units

    def write_packet(self, packet: EncodedPacket) -> None:
        """Queue one codec frame as it is, for a packet of its own. Raises ``ValueError`` if it is not of this codec.

        Samples that wait for the rest of their frame are padded with silence first, for order's sake.
        """
        self._check(packet)
        if self._framer.rest:
            self._append_rest()
        self._queue.append(packet)
        self._queued_units += packet.duration

    def write_tone(self, tone: Tone) -> None:
        """Queue a key that is pressed, and the gap after it, in whole packet times; nothing if the peer takes none."""
        self._append_rest()
        for step in self.tones.steps(tone):
            self._append(step, self._frame_units)

    def flush(self) -> Heard:
        """Drop what is queued: nothing more is sent, but that a key which is down is up.

        Says how much of the talk spurt was, and how much was dropped.
        """
        heard = Heard(sent=self._spurt_units / self.clock_rate, dropped=self.queued)
        self._queue.clear()
        self._queued_units = 0
        self._framer.clear()
        self._spurt_units = 0
        self._relayed_until = None
        end_of_tone = self.tones.cut_short()
        if end_of_tone is not None:
            self._append(end_of_tone, self._frame_units)
        return heard

    def next_packets(self, now: float) -> list[bytes]:
        """The plain RTP packets that are due in this tick: one, when frames are as long as ticks and audio is queued.

        A partial frame is padded with silence after a tick in which nothing was written to complete it.
        """
        self.has_moved_on = False
        if not self._queue and not self._framer.rest:
            self.is_idle = not self._talking or self._due <= now + self._slack  # else nothing was due in this tick
            if self._talking and now - self._due >= SPURT_GRACE:
                self._talking = False
            return self._fill(now) if self.fills or self.pauses is not None else []
        late = now - self._due
        if not self._talking or late > MAX_CATCH_UP:
            (self._skip if self._talking else self._begin_spurt)(now)
            late = now - self._due
        if late < -self._slack:
            self.is_idle = False
            return []
        # What makes up for a late tick leaves no earlier than in regular ones: a listener takes the earliest packet for
        # what the path takes, and would find all after it late.
        phase = self._phase + PHASE_CREEP
        self._phase = phase = late if late < phase else phase
        earliest = phase - self._spread
        packets = []
        while late >= earliest and (self._queue or self._rest_is_overdue()):
            item = self._queue.pop(0)
            if late > 0.0:
                self.total_lateness += late
            if isinstance(item, ToneStep):
                packets += self._tone_packets(item, now)
            elif (packet := self._next_packet(item, now)) is not None:
                packets.append(packet)
            late = now - self._due
        self.is_idle = late >= earliest
        if packets:
            self.last_sent_at = now
        return packets

    def rtp_timestamp_at(self, now: float) -> int:
        """The RTP timestamp that corresponds to ``now``, as sender reports need it (RFC 3550 §6.4.1)."""
        if not self._started:
            return self._timestamp
        return (self._timestamp + round((now - self._due) * self.clock_rate)) & 0xFFFFFFFF

    def _append(self, item: bytes | EncodedPacket | ToneStep, duration: int) -> None:
        self._queue.append(item)
        self._queued_units += duration

    def _append_rest(self) -> None:
        """For order's sake, what waits for the rest of its frame goes before what is none of that."""
        if (rest := self._framer.pad()) is not None:
            self._append(rest, self._frame_units)

    def _rest_is_overdue(self) -> bool:
        """Whether what waited for the rest of its frame is a frame now, because nothing came to complete it."""
        rest = self._framer.overdue()
        if rest is None:
            return False
        self._append(rest, self._frame_units)
        return True

    def _check(self, packet: EncodedPacket) -> None:
        name, clock_rate = packet.encoding_name, packet.clock_rate
        is_named_so = name is self._encoding_name or name.lower() == self._encoding_name.lower()
        if not is_named_so or clock_rate != self.clock_rate:
            raise ValueError(f"expected {self._encoding_name}/{self.clock_rate}, got {name}/{clock_rate}")
        if packet.duration <= 0 or not 0 < len(packet.payload) <= MAX_PAYLOAD_LENGTH:
            raise ValueError(f"expected a duration above 0 and a payload of 1–{MAX_PAYLOAD_LENGTH} bytes")

    def _begin_spurt(self, now: float) -> None:
        self._talking = True
        self._spurt_units = 0
        self._skip(now)

    def _fill(self, now: float) -> list[bytes]:
        """Silence, where there is no speech: a little late, so that speech which is so too goes on without a break."""
        if not self._started or now - self._due > MAX_CATCH_UP:
            self._skip(now)
        packets = []
        while now - self._due >= SPURT_GRACE:
            timestamp = self._timestamp
            self._pass_time(self._frame_units)
            if (packet := self._frame_packet(self._framer.silence, timestamp, now)) is not None:
                packets.append(packet)
        if packets:
            self.last_sent_at = now
        return packets

    def _skip(self, now: float) -> None:
        """Let the time until now pass as silence: there was nothing to say, or it cannot be caught up with."""
        if self._started:
            silent_frames = max(0, round((now - self._due) / self._frame_seconds))
            self._timestamp = (self._timestamp + silent_frames * self._frame_units) & 0xFFFFFFFF
        self._started = self._marker = True
        self._due = now - self._head_start
        self._phase = 0.0
        self._relayed_until = None

    def _next_packet(self, item: bytes | EncodedPacket, now: float) -> bytes | None:
        """Speech as a packet, or None where the encoder wants nothing sent. Either way time goes on."""
        if isinstance(item, bytes):
            pcm = item if self._tap is None else self._tapped(item, self._tap)
            self._relayed_until = None
            timestamp = self._timestamp
            self._spend(self._frame_units)
            return self._frame_packet(pcm, timestamp, now)
        self.audio_level = item.audio_level  # of packets that are relayed, as it came with them
        if self.relayed is not None:
            self.relayed(item)
        relayed, duration = item.rtp_timestamp, item.duration
        if self._relayed_until is not None and relayed != self._relayed_until:
            self._follow_gap(item, (relayed - self._relayed_until) & 0xFFFFFFFF, now)
        self._relayed_until = (relayed + duration) & 0xFFFFFFFF
        timestamp = self._timestamp
        self._spend(duration)
        return self._audio_packet(item.payload, duration, timestamp, now)

    def _frame_packet(self, pcm: bytes, timestamp: int, now: float) -> bytes | None:
        """A frame, or what is sent in place of a pause."""
        if self.extensions is not None and self.extensions.wants_level:
            self.audio_level = audio_level(pcm)
        pauses = self.pauses
        noise = None if pauses is None else pauses.comfort_noise(pcm, self._frame_seconds)
        if pauses is None or noise is None:
            payload = self.encoder.encode(pcm)
            if payload:
                if self.expects_loss and self._codec.has_redundancy(payload):
                    self.fec_packets_sent += 1
                return self._audio_packet(payload, self._frame_units, timestamp, now)
        self._marker = True  # of the speech after it
        if pauses is None or not noise:
            self.frames_unsent += 1
            return None
        self.comfort_noise_sent += 1
        return self._build(pauses.payload_type, timestamp, noise, False, now)

    def _audio_packet(self, payload: bytes, duration: int, timestamp: int, now: float) -> bytes:
        writer, marker = self.writer, self._marker
        if self.watch is not None:
            name = self._encoding_name
            self.watch(EncodedPacket(payload, name, self.clock_rate, timestamp, duration), self._codec)
        written = writer.write(payload, timestamp)
        if written is not payload:
            self.red_packets_sent += 1
        self._marker = False
        return self._build(writer.payload_type, timestamp, written, marker, now)

    def _tone_packets(self, step: ToneStep, now: float) -> list[bytes]:
        """A packet time of a tone."""
        self._relayed_until = self.audio_level = None
        packets = [self._build(*packet, now) for packet in self.tones.write(step, self._timestamp)]
        self._spend(self._frame_units)
        self._marker = True  # of the audio that comes next
        return packets

    def _spend(self, duration: int) -> None:
        """So much of the queue has gone out, or was left unsaid."""
        self.has_moved_on = True
        self._queued_units -= duration
        self._spurt_units += duration
        self._timestamp = (self._timestamp + duration) & 0xFFFFFFFF
        self._due += duration / self.clock_rate

    def _tapped(self, pcm: bytes, tap: FrameTap) -> bytes:
        units = (self._timestamp - self._first_timestamp) & 0xFFFFFFFF
        return tap(AudioFrame(pcm, self._sample_rate, units * self._sample_rate // self.clock_rate)).pcm

    def _pass_time(self, clock_units: int) -> None:
        self._timestamp = (self._timestamp + clock_units) & 0xFFFFFFFF
        self._due += clock_units / self.clock_rate

    def _follow_gap(self, packet: EncodedPacket, gap: int, now: float) -> None:
        """Repeat a gap before a relayed packet, so that a lost packet stays a lost packet and adds no delay.

        "Losses in the incoming packet stream may induce corresponding gaps in the outgoing sequence numbers"
        (RFC 3550 §7.1): so the listener's decoder can make use of the redundancy in the packet after the gap. A gap
        that real time has not passed yet is closed instead: there the packets' source has skipped, to lessen delay.
        """
        gap_seconds = gap / self.clock_rate
        if gap_seconds <= MAX_RELAYED_GAP and self._due + gap_seconds <= now + self._slack:
            self._pass_time(gap)
            lost = min(packet.lost_before, gap // packet.duration)
            self._sequence_number = (self._sequence_number + lost) & 0xFFFF
            self._marker = self._marker or lost == 0


def _adjustable(encoder: Encoder) -> AdjustableEncoder | None:
    """What ``isinstance`` would say; it takes longer than to read a dozen lines of an offer."""
    return cast(AdjustableEncoder, encoder) if hasattr(encoder, "set_complexity") else None
