"""The audio of a WebSocket call: receiver and sender of RTP, with bytes of any chunking in place of datagrams."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Final

import msgspec

from glottis.calls.dtmf import MAX_KEYS
from glottis.calls.websocket.formats import AudioFormats
from glottis.calls.websocket.inlet import PAYLOAD_TYPE, SSRC, AudioInlet
from glottis.calls.websocket.marks import Marks
from glottis.contracts.audio import FRAME_MS, AudioFrame, EncodedPacket
from glottis.contracts.call import Heard
from glottis.contracts.codec import CodecSpec, EncoderKnobs, EncoderSettings
from glottis.contracts.events import MediaNegotiated
from glottis.contracts.short_queue import ShortQueue
from glottis.contracts.statistics import CodecStats, Counters, Statistics
from glottis.peer.packet_times import send_period
from glottis.rtp import (
    AudioReceiver,
    AudioSender,
    DelayPolicy,
    FixedDelay,
    KeyChange,
    KeyDown,
    KeyUp,
    PlainReader,
    PlainWriter,
    Taps,
    Tone,
)
from glottis.rtp.delay import DEFAULT_TARGET_DELAY
from glottis.rtp.statistics import rtp_statistics
from glottis.rtp.tones import EventFormat
from glottis.signaling.errors import Rejected
from glottis.signaling.messages import Key, Mark
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted
from glottis.wire.telephone_event import parse_telephone_event_untrusted

KEYS: Final = EventFormat(PAYLOAD_TYPE + 1, clock_rate=1000)
"""How keys come out of the sender: in its order, and at its pace."""
HEAD_START: Final = 0.06
"""Seconds of speech that a client is sent at once, so that it need not wait before it plays; the rest follows in real
time, to be dropped in time when the caller interrupts."""


class StreamSettings(msgspec.Struct, frozen=True):
    """How to hear and to speak, as ``PeerSettings`` has it for WebRTC."""

    delay: Callable[[], DelayPolicy] = FixedDelay
    """Makes what says how long received packets wait."""
    longest_delay: float = DEFAULT_TARGET_DELAY
    """Seconds that it can make good."""
    encoder: EncoderKnobs = msgspec.field(default_factory=EncoderKnobs)
    send_silence: bool = False
    """While nothing is said."""
    frame_ms: int = FRAME_MS
    """Of the agent's frames, one of ``FRAMES_MS``."""


class StreamVoice:
    """A ``Voice``. ``formats`` are those of the call, ``sample_rate`` in hertz is the agent's."""

    takes_tones: Final = True
    """As messages beside the audio."""

    def __init__(self, formats: AudioFormats, settings: StreamSettings, sample_rate: int, rng: random.Random) -> None:
        self.formats = formats
        self.taps = Taps()
        """They are bound when the call begins."""
        self.inlet: AudioInlet | None = None
        """Where what the client sends comes in, once the call has begun."""
        self.flushed: Callable[[], None] = _nothing
        """Called when what was said is dropped: the listener has some of it already."""
        self.marks: Marks | None = None
        """Where the listener tells what it has played."""
        self._keys: ShortQueue[KeyChange] = ShortQueue()
        self._ticked_at = 0.0
        self._last_key: int | None = None
        """The RTP timestamp of the key that was told last."""
        self._settings = settings
        self._knobs = settings.encoder
        self._sample_rate = sample_rate
        self._rng = rng
        self._receiver: AudioReceiver | None = None
        self._sender: AudioSender | None = None

    def begin(self) -> None:
        """The call begins."""
        self._receiver = AudioReceiver(
            {PAYLOAD_TYPE: PlainReader(self.formats.input.codec)},
            sample_rate=self._sample_rate,
            delay=self._settings.delay(),
            tap=self.taps.heard,
            watch=self.taps.received,
            frame_seconds=self.frame_seconds,
        )
        self.inlet = AudioInlet(
            self.formats.input,
            self._receiver,
            longest_delay=self._settings.longest_delay,
            frame_seconds=self.frame_seconds,
        )
        self._sender = self._new_sender()

    @property
    def encoding_name(self) -> str:
        """See ``Voice``."""
        return self.formats.output.codec.encoding_name

    @property
    def description(self) -> MediaNegotiated:
        """What is in force."""
        return MediaNegotiated(
            codec=self.encoding_name, frame_duration_ms=self.formats.output.frame_ms, sample_rate=self._sample_rate
        )

    @property
    def send_period(self) -> float:
        """Seconds between calls of ``messages_to_send`` that keep the messages evenly spaced, at most a media tick."""
        return send_period(self.formats.output.frame_ms, self.frame_seconds)

    @property
    def frame_seconds(self) -> float:
        """See ``Voice``."""
        return self._settings.frame_ms / 1000

    @property
    def can_send(self) -> bool:
        """See ``SpeakingVoice``."""
        return self._sender is not None

    @property
    def queued(self) -> float:
        """Seconds of speech that wait to be sent."""
        return self._sender.queued if self._sender is not None else 0.0

    @property
    def unheard(self) -> float:
        """See ``SpeakingVoice``."""
        return self.marks.unheard(self._ticked_at) if self.marks is not None else 0.0

    @property
    def has_moved_on(self) -> bool:
        """Whether something has left the queue in the last tick."""
        return self._sender is not None and self._sender.has_moved_on

    def write(self, pcm: bytes) -> None:
        """See ``AudioSender.write``."""
        if self._sender is not None:
            self._sender.write(pcm)

    def write_packet(self, packet: EncodedPacket) -> None:
        """See ``AudioSender.write_packet``."""
        if self._sender is not None:
            self._sender.write_packet(packet)

    def write_tone(self, tone: Tone) -> None:
        """See ``AudioSender.write_tone``."""
        if self._sender is not None:
            self._sender.write_tone(tone)

    def flush(self) -> Heard:
        """See ``AudioSender.flush``; the listener drops what it has not played."""
        self.flushed()
        if self._sender is None:
            return Heard(0.0, 0.0)
        heard = self._sender.flush()
        unheard = min(self.unheard, heard.sent)
        if self.marks is not None:
            self.marks.flush(self._ticked_at)
        return Heard(heard.sent - unheard, heard.dropped + unheard)

    def stop_playout(self) -> None:
        """Drop what has come and was not heard."""
        if self.inlet is not None:
            self.inlet.clear()
        if self._receiver is not None:
            self._receiver.clear()

    def messages_to_send(self, now: float) -> list[bytes | Mark | Key]:
        """What is due in this tick: audio, each for a binary message, and what is told beside it."""
        self._ticked_at = now
        audio: list[tuple[bytes, float]] = []
        keys: list[Key] = []
        for packet in self._sender.next_packets(now) if self._sender is not None else []:
            rtp = parse_rtp_untrusted(packet)
            if rtp.payload_type == PAYLOAD_TYPE:
                audio.append((rtp.payload, self._duration_of(rtp.payload)))
            elif (key := self._released_key(rtp)) is not None:
                keys.append(key)
        return [*([payload for payload, _ in audio] if self.marks is None else self.marks.place(audio, now)), *keys]

    def _duration_of(self, payload: bytes) -> float:
        codec = self.formats.output.codec
        return codec.payload_duration_untrusted(payload) / codec.clock_rate

    def _released_key(self, packet: RtpPacket) -> Key | None:
        """Told at its end, when it is known how long it was down; once, though the packets tell it thrice."""
        event = parse_telephone_event_untrusted(packet.payload)
        if not event.is_end or packet.timestamp == self._last_key:
            return None
        self._last_key = packet.timestamp
        return Key(event.digit, event.duration / KEYS.clock_rate)

    def press(self, key: Key) -> None:
        """The far end has pressed it. Raises ``Rejected`` if it presses too many at a time."""
        if len(self._keys) + 2 > 2 * MAX_KEYS:
            raise Rejected("TOO_MANY_KEYS", f"the key was dropped: press {MAX_KEYS} at a time at most")
        self._keys += [KeyDown(key.digit), KeyUp(key.duration)]

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """See ``AudioReceiver.next_frame``."""
        return self._receiver.next_frame(now, packets) if self._receiver is not None else None

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """See ``AudioReceiver.next_packets``."""
        return self._receiver.next_packets(now) if self._receiver is not None else []

    def next_keys(self, now: float) -> Sequence[KeyChange]:
        """Those that were pressed since this was asked last."""
        keys, self._keys = self._keys, ShortQueue()
        return keys

    def set_complexity(self, complexity: int) -> None:
        """See ``Leg.set_complexity``."""
        self._knobs = replace(self._knobs, complexity=complexity)
        if self._sender is not None:
            self._sender.set_complexity(complexity)

    def statistics(self, timestamp: float) -> Statistics:
        """``timestamp`` is in milliseconds since 1970."""
        inlet = self.inlet
        counters = Counters(
            audio_messages_refused=inlet.audio_messages_refused if inlet is not None else 0,
            audio_overflows=inlet.audio_overflows if inlet is not None else 0,
        )
        statistics = rtp_statistics(timestamp, self._receiver, self._sender, None, counters)
        return replace(
            statistics,
            inbound_codec=_codec(self.formats.input.codec) if statistics.inbound_rtp is not None else None,
            outbound_codec=_codec(self.formats.output.codec) if statistics.outbound_rtp is not None else None,
        )

    def _new_sender(self) -> AudioSender:
        output = self.formats.output
        settings = EncoderSettings(sample_rate=self._sample_rate, frame_ms=output.frame_ms, **asdict(self._knobs))
        sender = AudioSender(
            ssrc=SSRC,
            writer=PlainWriter(PAYLOAD_TYPE),
            codec=output.codec,
            encoder=output.codec.create_encoder(settings),
            sample_rate=self._sample_rate,
            frame_ms=output.frame_ms,
            tick=self.send_period,
            rng=self._rng,
            tap=self.taps.spoken,
            complexity=self._knobs.complexity,
            head_start=HEAD_START,
        )
        sender.tones.format = KEYS
        sender.fills = self._settings.send_silence
        sender.watch, sender.relayed = self.taps.sent, self.taps.relayed
        return sender


def _nothing() -> None: ...


def _codec(codec: CodecSpec) -> CodecStats:
    name = codec.encoding_name
    return CodecStats(mime_type=f"audio/{name}", clock_rate=codec.clock_rate, channels=codec.channels)
