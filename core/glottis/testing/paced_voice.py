"""A stand-in for the media of a call, at the pace of time: the gateway's own sender, without codec and network."""

import random
from collections import deque
from collections.abc import Sequence
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_MS, AudioFrame, EncodedPacket
from glottis.contracts.call import Heard
from glottis.contracts.codec import CodecSpec, Decoder
from glottis.rtp import (
    AudioSender,
    EventFormat,
    KeyChange,
    KeyDown,
    Keypad,
    PlainWriter,
    Taps,
    TelephoneEventReader,
    Tone,
)
from glottis.wire.rtp import parse_rtp_untrusted

_AUDIO, _EVENTS = 96, 97
"""Payload types."""
_EPSILON: Final = 1e-6
"""Seconds; packets that add up to a tick shall reach it despite rounding."""


class PacedVoice:
    """A ``Voice``. Call ``hear``, then ``send``, every ``frame_ms`` milliseconds.

    What the caller says is given to ``speak`` and ``relay``; it comes in frames so long, and packets at their time.
    """

    def __init__(self, sample_rate: int, encoding_name: str, clock_rate: int, frame_ms: int = FRAME_MS) -> None:
        self.encoding_name = encoding_name
        self.frame_seconds = frame_ms / 1000
        self.can_send = True
        self.takes_tones = True
        self.unheard = 0.0
        """See ``SpeakingVoice``: whoever listens may set it."""
        self.taps = Taps()
        """Bound by nobody."""
        self.sent_digits = ""
        """Those whose keys have gone down for the caller, in order."""
        self.sent_packets: list[EncodedPacket] = []
        """Those that have left, in order."""
        self._recorder = _Recorder()
        self._sender = AudioSender(
            ssrc=1,
            writer=PlainWriter(_AUDIO),
            codec=_codec(encoding_name, clock_rate, self._recorder),
            encoder=self._recorder,
            sample_rate=sample_rate,
            frame_ms=frame_ms,
            tick=self.frame_seconds,
            rng=random.Random(1),
        )
        self._sender.tones.format = EventFormat(_EVENTS, clock_rate)
        self._keypad = Keypad()
        self._event_reader = TelephoneEventReader(clock_rate, self._keypad)
        self._key_changes: list[KeyChange] = []
        self._written: deque[EncodedPacket] = deque()
        self._sample_rate = sample_rate
        self._frame_samples = round(sample_rate * self.frame_seconds)
        self._incoming = bytearray()
        self._incoming_packets: deque[EncodedPacket] = deque()
        self._packets_until = 0.0
        """When the last packet that was heard ends."""
        self._first_heard_at: float | None = None
        self._frame: AudioFrame | None = None
        self._packets: list[EncodedPacket] = []

    # From the agent

    @property
    def sent_pcm(self) -> bytes:
        """The samples that have left."""
        return bytes(self._recorder.pcm)

    @property
    def queued(self) -> float:
        """Seconds of speech that wait to be sent."""
        return self._sender.queued

    def write(self, pcm: bytes) -> None:
        """See ``AudioSender.write``."""
        self._sender.write(pcm)

    def write_packet(self, packet: EncodedPacket) -> None:
        """See ``AudioSender.write_packet``."""
        self._sender.write_packet(packet)
        self._written.append(packet)

    def write_tone(self, tone: Tone) -> None:
        """See ``AudioSender.write_tone``."""
        self._sender.write_tone(tone)

    def flush(self) -> Heard:
        """See ``AudioSender.flush``."""
        self._written.clear()
        heard = self._sender.flush()
        unheard, self.unheard = min(self.unheard, heard.sent), 0.0
        return Heard(heard.sent - unheard, heard.dropped + unheard)

    def send(self, now: float) -> bool:
        """Send what is due; says whether there is room for more."""
        encoded = self._recorder.frames
        sent = [parse_rtp_untrusted(packet) for packet in self._sender.next_packets(now)]
        events = [packet for packet in sent if packet.payload_type == _EVENTS]
        relayed = len(sent) - len(events) - (self._recorder.frames - encoded)
        self.sent_packets += [self._written.popleft() for _ in range(relayed)]
        for packet in events:
            self._event_reader.read_untrusted(packet.payload, packet.sequence_number, packet.timestamp, now)
        changes = self._keypad.take_changes(now)
        self.sent_digits += "".join(change.digit for change in changes if isinstance(change, KeyDown))
        return self._sender.has_moved_on

    # From the caller

    @property
    def is_spoken_to(self) -> bool:
        """Whether samples of the caller still wait for their ticks."""
        return bool(self._incoming)

    def speak(self, pcm: bytes) -> None:
        """The caller says this, after what was said before."""
        self._incoming += pcm

    def relay(self, packet: EncodedPacket) -> None:
        """The caller sends this packet, after those before it."""
        self._incoming_packets.append(packet)

    def press(self, change: KeyChange) -> None:
        """The caller presses a key, or lets it go."""
        self._key_changes.append(change)

    def next_keys(self, now: float) -> Sequence[KeyChange]:
        """What has happened to the caller's keys since this was asked last."""
        changes, self._key_changes = self._key_changes, []
        return changes

    def hear(self, now: float) -> None:
        """Let what the caller says go on by a tick, whether the agent listens or not."""
        self._frame = self._due_frame(now) if self._incoming else None
        self._packets = self._due_packets(now)

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """The frame of this tick; its packets are appended to ``packets``."""
        if packets is not None:
            packets += self._packets
        return self._frame

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """The packets of this tick."""
        return self._packets

    def _due_frame(self, now: float) -> AudioFrame:
        """The next frame; the last of a speech is filled up with silence, as every sender does it."""
        if self._first_heard_at is None:
            self._first_heard_at = now
        size = self._frame_samples * BYTES_PER_SAMPLE
        pcm = bytes(self._incoming[:size]).ljust(size, b"\0")
        del self._incoming[:size]
        ticks = round((now - self._first_heard_at) / self.frame_seconds)
        return AudioFrame(pcm, self._sample_rate, ticks * self._frame_samples)

    def _due_packets(self, now: float) -> list[EncodedPacket]:
        """Those that start within this tick."""
        self._packets_until = max(self._packets_until, now)
        due = []
        while self._incoming_packets and self._packets_until < now + self.frame_seconds - _EPSILON:
            packet = self._incoming_packets.popleft()
            self._packets_until += packet.duration / packet.clock_rate
            due.append(packet)
        return due


class _Recorder:
    """An encoder that keeps what it encodes, at the moment when it is sent."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.frames = 0

    def encode(self, pcm: bytes) -> bytes:
        self.pcm += pcm
        self.frames += 1
        return b"frame"

    def set_expected_loss(self, fraction: float) -> None: ...
    def set_bitrate(self, bits_per_second: int) -> None: ...


def _codec(encoding_name: str, clock_rate: int, recorder: _Recorder) -> CodecSpec:
    """The negotiated codec by name; no sender ever decodes."""

    def no_decoder(sample_rate: int) -> Decoder:
        raise NotImplementedError

    return CodecSpec(encoding_name, clock_rate, lambda settings: recorder, no_decoder, len)
