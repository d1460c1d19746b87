"""The gateway's side of what an agent in a worker says: it goes to the voice, and word of what was sent comes back."""

from collections.abc import Callable
from typing import Final

from glottis.calls.sayable import check_packet
from glottis.calls.voice import Voice
from glottis.contracts.audio import BYTES_PER_SAMPLE, EncodedPacket
from glottis.isolation import messages
from glottis.rtp import Tone

LEEWAY: Final = 1.0
"""Seconds that may be queued beyond the limit, which the worker keeps itself: more comes only of one gone mad."""


class Spoken:
    """Of one call. ``limit`` in seconds is how much the agent may have queued."""

    def __init__(self, voice: Voice, sample_rate: int, limit: float) -> None:
        self._voice = voice
        self._sample_rate = sample_rate
        self._most = limit + LEEWAY
        self._epoch = 0
        self._received = 0.0
        """Seconds, in this epoch."""
        self._told: messages.Voice | None = None

    def say(self, pcm: bytes) -> None:
        """Samples."""
        self._put(len(pcm) / BYTES_PER_SAMPLE / self._sample_rate, lambda: self._voice.write(pcm))

    def say_packet(self, packet: EncodedPacket) -> None:
        """A packet; one of a codec that was changed meanwhile is lost."""
        try:
            check_packet(packet, self._voice.encoding_name)
        except ValueError:
            return
        self._put(packet.duration / packet.clock_rate, lambda: self._voice.write_packet(packet))

    def say_tone(self, tone: Tone) -> None:
        """A key."""
        self._put(tone.duration + tone.gap, lambda: self._voice.write_tone(tone))

    def flush(self, epoch: int) -> None:
        """Drop what is queued, and begin to count anew."""
        self._voice.flush()
        self._epoch = epoch
        self._received = 0.0

    def news(self, call: int) -> messages.Voice | None:
        """What the worker does not know yet, if there is anything."""
        news = messages.Voice(
            call,
            self._epoch,
            round(self._received - self._voice.queued, 6),
            round(self._voice.unheard, 6),
            self._voice.can_send,
            self._voice.takes_tones,
            self._voice.encoding_name,
        )
        if news == self._told:
            return None
        self._told = news
        return news

    def _put(self, seconds: float, write: Callable[[], None]) -> None:
        self._received += seconds
        if self._voice.queued + seconds <= self._most:
            write()
