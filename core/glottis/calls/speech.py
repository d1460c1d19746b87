"""What an agent says on its way to the voice: one utterance after the other, held back while enough is queued."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import trio

from glottis.calls.streams import Wakeup
from glottis.calls.utterance import Part, Piece, Place, Source, Started, part_of, tones_part
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

    @property
    def unheard(self) -> float:
        """Seconds of what was sent that the listener has not played yet, as far as it tells."""

    def write(self, pcm: bytes) -> None: ...
    def write_packet(self, packet: EncodedPacket) -> None: ...
    def write_tone(self, tone: Tone) -> None: ...
    def flush(self) -> Heard: ...


class Speech:
    """Utterances take turns in the order they came, so that each stays whole whichever tasks speak.

    ``limit`` in seconds is how much may be queued on the voice.
    """

    def __init__(self, voice: SpeakingVoice, *, sample_rate: int, limit: float) -> None:
        self._voice = voice
        self._sample_rate = sample_rate
        self._limit = limit
        self._frame_bytes = round(FRAME_SECONDS * sample_rate) * BYTES_PER_SAMPLE
        self._bytes_per_second = BYTES_PER_SAMPLE * sample_rate
        self._line: list[Place] = []
        """Who speaks, or waits for room, and behind that who waits for a turn."""
        self._changed = Wakeup()
        self.changed = self._changed.wake
        """To be called when something was sent, or there is another direction: there may be room."""

    @property
    def is_going_on(self) -> bool:
        """Whether anything that was said has not been sent yet."""
        return self._voice.queued > 0 or any(place.left for place in self._line)

    async def say(self, audio: bytes | EncodedPacket) -> None:
        """Write whole samples, or a packet, piece by piece as the queue has room; ends early when it is flushed."""
        if not self._line and self._voice.can_send and self._voice.queued < self._limit:
            if isinstance(audio, EncodedPacket):
                self._voice.write_packet(audio)
                return
            if 0 < len(audio) <= self._frame_bytes:
                self._voice.write(audio)  # most frames are said with this: it costs the media path no turn
                return
        part = part_of(audio, self._sample_rate)
        if not part.left:  # empty frames never come to wait for room
            await trio.lowlevel.checkpoint()
        else:
            await self._say_in_turn(part)

    def start(self, source: Source, spawn: Callable[..., None]) -> Started:
        """Say all of it in a task of its own, which ``spawn`` starts as ``nursery.start_soon`` does."""
        started = Started(self._voice, self._cancel)
        if isinstance(source, list):
            started.rest = [part_of(audio, self._sample_rate) for audio in source]
        spawn(self._say_alone, started, source)
        self._line.append(started)
        return started

    async def press(self, tones: Sequence[Tone]) -> None:
        """The same with tones, in their turn."""
        if tones:
            await self._say_in_turn(tones_part(tones))
        else:
            await trio.lowlevel.checkpoint()

    def say_nowait(self, audio: bytes | EncodedPacket) -> None:
        """Write it whole. Raises ``trio.WouldBlock`` while another utterance has the turn, and for want of room."""
        voice = self._voice
        if isinstance(audio, EncodedPacket):
            seconds = audio.duration / audio.clock_rate
        else:
            seconds = len(audio) / self._bytes_per_second
        if self._line or voice.queued + seconds > self._limit + FRAME_SECONDS:
            raise trio.WouldBlock
        if voice.can_send:
            self._write(audio)

    async def drain(self) -> None:
        """Wait until all that was said so far has been sent; what is said meanwhile waits for its turn."""
        await trio.lowlevel.checkpoint()
        nothing = Part(b"", 0, 1)
        self._line.append(nothing)
        try:
            await self._turn_of(nothing)
            await self._silence()
        finally:
            self._leave(nothing)

    def flush(self) -> Heard:
        """Drop what is queued and what waits for room or its turn."""
        waiting = self._voice.queued + self._voice.unheard
        heard = self._voice.flush()
        unwritten = sum(place.drop(waiting) for place in self._line)
        for started in [place for place in self._line if isinstance(place, Started)]:
            self._leave(started)  # whatever its iterator does to end
        self._changed.wake()
        return Heard(heard.sent, heard.dropped + unwritten)

    def _cancel(self, started: Started) -> None:
        started.drop(self._voice.queued + self._voice.unheard)
        if started.has_begun:
            self._voice.flush()
        self._leave(started)
        self._changed.wake()

    async def _say_in_turn(self, part: Part) -> None:
        self._line.append(part)
        try:
            await self._turn_of(part)
            await self._say_part(part)
        finally:
            self._leave(part)

    async def _say_alone(self, started: Started, source: Source) -> None:
        """What others have queued is sent before, and what they say comes after the last of it was sent."""
        try:
            with started.scope:
                await self._turn_of(started)
                await self._silence()
                started.has_begun = True
                await self._say_source(started, source)
                await self._silence()
        finally:
            started.end()
            self._leave(started)

    async def _say_source(self, started: Started, source: Source) -> None:
        if isinstance(source, list):
            for part in started.rest:
                await self._say_part(part, started.wrote)
            return
        async with aclosing(source):
            async for audio in source:
                if not started.left:  # cancelled, which shows at the next checkpoint only
                    break
                started.rest = [part_of(audio, self._sample_rate)]
                await self._say_part(started.rest[0], started.wrote)

    async def _say_part(self, part: Part, wrote: Callable[[float], None] = lambda _: None) -> None:
        while await self._has_room(part):
            if self._voice.can_send:
                before = part.seconds
                self._write(part.take(self._room))
                wrote(before - part.seconds)
            else:
                await self._pass_time(part)

    async def _turn_of(self, place: Place) -> None:
        while self._line and self._line[0] is not place:
            place.turn = trio.Event()
            await place.turn.wait()

    def _leave(self, place: Place) -> None:
        if place in self._line:
            self._line.remove(place)
        if self._line and (turn := self._line[0].turn) is not None:
            turn.set()

    async def _silence(self) -> None:
        """Wait until all that is queued was sent."""
        while self._voice.queued > 0:
            await self._changed.wait()

    async def _has_room(self, part: Part) -> bool:
        """Wait until less than the limit is queued; false if nothing is left to be written, or no longer."""
        while part.left and self._voice.queued >= self._limit:
            await self._changed.wait()
        return part.left > 0

    @property
    def _room(self) -> float:
        """Seconds to write at once: a frame at least."""
        return max(FRAME_SECONDS, self._limit - self._voice.queued)

    def _write(self, piece: Piece) -> None:
        if isinstance(piece, EncodedPacket):
            self._voice.write_packet(piece)
        elif isinstance(piece, Tone):
            self._voice.write_tone(piece)
        else:
            self._voice.write(piece)

    async def _pass_time(self, part: Part) -> None:
        """Before nobody's ears, let the time pass of a frame, or of a packet: then somebody may have come."""
        before = part.seconds
        part.take(FRAME_SECONDS)
        with trio.move_on_after(before - part.seconds):
            await self._changed.wait()
