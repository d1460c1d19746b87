"""The worker's side of a voice: what is written goes through the pipe, and the gateway tells what was sent of it."""

from collections.abc import Callable, Sequence
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_MS, AudioFrame, EncodedPacket
from glottis.contracts.call import Heard
from glottis.isolation import messages
from glottis.isolation.messages import FromWorker
from glottis.rtp import KeyChange, KeyDown, KeyUp, Taps, Tone

_EPSILON: Final = 1e-5
"""Seconds; less than a sample is nothing."""


class PipeVoice:
    """A ``Voice``. What is queued it knows to two frames: what was sent is told with the next media tick."""

    def __init__(
        self, call: int, sample_rate: int, send: Callable[[FromWorker], None], frame_ms: int = FRAME_MS
    ) -> None:
        self.taps = Taps()
        """The gateway has them."""
        self.can_send = False
        self.takes_tones = False
        self.encoding_name = ""
        self.frame_seconds = frame_ms / 1000
        self._call = call
        self._sample_rate = sample_rate
        self._send = send
        self._epoch = 0
        self._written = 0.0
        """Seconds, in this epoch."""
        self._gone = 0.0
        """Of these, how many wait no longer."""
        self.unheard = 0.0
        """See ``SpeakingVoice``; the gateway tells it with the rest."""
        self._spurt = 0.0
        """How many had been written when the speech of now began."""
        self._frame: AudioFrame | None = None
        self._packets: list[EncodedPacket] = []
        self._keys: list[KeyChange] = []

    # What the agent's call does

    @property
    def queued(self) -> float:
        """Seconds of speech that wait to be sent."""
        queued = self._written - self._gone
        return queued if queued > _EPSILON else 0.0

    def write(self, pcm: bytes) -> None:
        """Queue whole samples."""
        self._send(messages.Say(self._call, pcm))
        self._count(len(pcm) / BYTES_PER_SAMPLE / self._sample_rate)

    def write_packet(self, packet: EncodedPacket) -> None:
        """Queue a packet."""
        self._send(messages.SayPacket(self._call, packet))
        self._count(packet.duration / packet.clock_rate)

    def write_tone(self, tone: Tone) -> None:
        """Queue a key."""
        self._send(messages.SayTone(self._call, tone.event, tone.duration, tone.gap))
        self._count(tone.duration + tone.gap)

    def flush(self) -> Heard:
        """Drop what is queued."""
        queued = self.queued
        sent = max(0.0, self._written - queued - self._spurt)
        unheard = min(self.unheard, sent)
        self._epoch += 1
        self._written = self._gone = self._spurt = self.unheard = 0.0
        self._send(messages.Flush(self._call, self._epoch))
        return Heard(sent - unheard, queued + unheard)

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """The one that has come, with its packets."""
        if packets is not None:
            packets += self.next_packets(now)
        frame, self._frame = self._frame, None
        return frame

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """Those that have come."""
        packets, self._packets = self._packets, []
        return packets

    def next_keys(self, now: float) -> Sequence[KeyChange]:
        """Those that have come."""
        keys, self._keys = self._keys, []
        return keys

    def _count(self, seconds: float) -> None:
        if not self.queued:
            self._spurt = self._written
        self._written += seconds

    # What the gateway tells

    def heard(self, told: messages.Heard) -> None:
        """The caller's voice."""
        self._frame = AudioFrame(told.pcm, self._sample_rate, told.timestamp) if told.pcm is not None else None
        self._packets = [*told.packets]

    def pressed(self, told: messages.Keys) -> None:
        """The caller's keys."""
        self._keys += [KeyDown(key) if isinstance(key, str) else KeyUp(key) for key in told.changes]

    def update(self, told: messages.Voice) -> None:
        """What it does not know yet; of an earlier epoch, nothing that was said counts."""
        self.can_send, self.takes_tones, self.encoding_name = told.can_send, told.takes_tones, told.encoding_name
        if told.epoch == self._epoch:
            self._gone, self.unheard = told.gone, told.unheard
