"""What an agent says on its way to the voice: one utterance after the other, held back while enough is queued."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from glottis.calls.streams import Wakeup
from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, EncodedPacket
from glottis.contracts.call import Heard
from glottis.rtp import Tone


class SpeakingVoice(Protocol):
    """The way to the listener: a queue that media ticks empty at the pace of time."""

    @property
    def can_send(self) -> bool:
        """Whether anybody can hear what is written."""

    @property
    def queued(self) -> float:
        """Seconds of speech that wait to be sent."""

    def write(self, pcm: bytes) -> None: ...
    def write_packet(self, packet: EncodedPacket) -> None: ...
    def write_tone(self, tone: Tone) -> None: ...
    def flush(self) -> Heard: ...


@dataclass(eq=False, slots=True)
class _Utterance:
    """What one ``say`` was given; ``left`` is what is not written yet, in samples or clock units of ``rate`` hertz.

    Tones are counted in milliseconds.
    """

    audio: bytes | EncodedPacket | list[Tone]
    left: int
    rate: int

    def take(self, seconds: float) -> bytes | EncodedPacket | Tone:
        """The next piece, of about ``seconds``; a packet is one piece, and so is a tone."""
        if isinstance(self.audio, list):
            tone = self.audio.pop(0)
            self.left = sum(map(_milliseconds, self.audio))
            return tone
        if isinstance(self.audio, EncodedPacket):
            self.left = 0
            return self.audio
        start = len(self.audio) - self.left * BYTES_PER_SAMPLE
        count = min(self.left, round(seconds * self.rate))
        self.left -= count
        return self.audio[start : start + count * BYTES_PER_SAMPLE]


class Speech:
    """Utterances take turns in the order they came, so that each stays whole whichever tasks speak.

    ``limit`` in seconds is how much may be queued on the voice.
    """

    def __init__(self, voice: SpeakingVoice, *, sample_rate: int, limit: float) -> None:
        self._voice = voice
        self._sample_rate = sample_rate
        self._limit = limit
        self._frame_bytes = round(FRAME_SECONDS * sample_rate) * BYTES_PER_SAMPLE
        self._turn = trio.Lock()  # first come, first served
        self._unwritten: list[_Utterance] = []
        self._changed = Wakeup()
        self.changed = self._changed.wake
        """To be called when something was sent, or there is another direction: there may be room."""

    async def say(self, audio: bytes | EncodedPacket) -> None:
        """Write whole samples, or a packet, piece by piece as the queue has room; ends early when it is flushed."""
        if not self._turn.locked() and self._voice.can_send and self._voice.queued < self._limit:
            if isinstance(audio, EncodedPacket):
                self._voice.write_packet(audio)
                return
            if 0 < len(audio) <= self._frame_bytes:
                self._voice.write(audio)  # most frames are said with this: it costs the media path no turn
                return
        utterance = self._utterance(audio)
        if not utterance.left:  # empty frames never come to wait for room
            await trio.lowlevel.checkpoint()
        else:
            await self._say_in_turn(utterance)

    async def press(self, tones: Sequence[Tone]) -> None:
        """The same with tones, in their turn."""
        if tones:
            await self._say_in_turn(_Utterance([*tones], sum(map(_milliseconds, tones)), 1000))
        else:
            await trio.lowlevel.checkpoint()

    def say_nowait(self, audio: bytes | EncodedPacket) -> None:
        """Write it whole. Raises ``trio.WouldBlock`` while another utterance has the turn, and for want of room."""
        utterance = self._utterance(audio)
        if self._turn.locked() or self._voice.queued + utterance.left / utterance.rate > self._limit + FRAME_SECONDS:
            raise trio.WouldBlock
        if self._voice.can_send:
            self._write(audio)

    async def drain(self) -> None:
        """Wait until all that was said so far has been sent; what is said meanwhile waits for its turn."""
        async with self._turn:
            while self._voice.queued > 0:
                await self._changed.wait()

    def flush(self) -> Heard:
        """Drop what is queued and what waits for room or its turn."""
        heard = self._voice.flush()
        unwritten = sum(utterance.left / utterance.rate for utterance in self._unwritten)
        for utterance in self._unwritten:
            utterance.left = 0
        self._changed.wake()
        return Heard(heard.sent, heard.dropped + unwritten)

    def _utterance(self, audio: bytes | EncodedPacket) -> _Utterance:
        if isinstance(audio, EncodedPacket):
            return _Utterance(audio, audio.duration, audio.clock_rate)
        return _Utterance(audio, len(audio) // BYTES_PER_SAMPLE, self._sample_rate)

    async def _say_in_turn(self, utterance: _Utterance) -> None:
        self._unwritten.append(utterance)
        try:
            async with self._turn:
                while await self._has_room(utterance):
                    if self._voice.can_send:
                        self._write(utterance.take(self._room))
                    else:
                        await self._pass_time(utterance)
        finally:
            self._unwritten.remove(utterance)

    async def _has_room(self, utterance: _Utterance) -> bool:
        """Wait until less than the limit is queued; false if nothing is left to be written, or no longer."""
        while utterance.left and self._voice.queued >= self._limit:
            await self._changed.wait()
        return utterance.left > 0

    @property
    def _room(self) -> float:
        """Seconds to write at once: a frame at least."""
        return max(FRAME_SECONDS, self._limit - self._voice.queued)

    def _write(self, piece: bytes | EncodedPacket | Tone) -> None:
        if isinstance(piece, EncodedPacket):
            self._voice.write_packet(piece)
        elif isinstance(piece, Tone):
            self._voice.write_tone(piece)
        else:
            self._voice.write(piece)

    async def _pass_time(self, utterance: _Utterance) -> None:
        """Before nobody's ears, let the time pass of a frame, or of a packet: then somebody may have come."""
        before = utterance.left
        utterance.take(FRAME_SECONDS)
        with trio.move_on_after((before - utterance.left) / utterance.rate):
            await self._changed.wait()


def _milliseconds(tone: Tone) -> int:
    return round(1000 * (tone.duration + tone.gap))
