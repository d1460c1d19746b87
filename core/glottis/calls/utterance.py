"""Utterances: what ``say`` was given, piece by piece, and what ``start_saying`` has begun."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from typing import Protocol

import msgspec
import trio

from glottis.contracts.audio import BYTES_PER_SAMPLE, EncodedPacket
from glottis.contracts.call import Heard, Speakable, Utterance
from glottis.rtp import Tone

Piece = bytes | EncodedPacket | Tone
"""What a voice takes at once."""
Source = list[bytes | EncodedPacket] | AsyncGenerator[bytes | EncodedPacket, None]
"""Pieces that were checked: at once, or as they come."""


class Place(Protocol):
    """A place in the line of those who speak, or wait for it."""

    turn: trio.Event | None
    """Set when the place has become the first; None if nobody waits for that."""

    @property
    def left(self) -> float:
        """What is not written yet, in any unit."""

    def drop(self, waiting: float) -> float:
        """Say no more of it, with ``waiting`` seconds written and not heard; returns those that were not written."""


class Part(msgspec.Struct, eq=False):
    """Audio, of which ``left`` is not written yet, in samples or clock units of ``rate`` hertz.

    Tones are counted in milliseconds.
    """

    audio: bytes | EncodedPacket | list[Tone]
    left: int
    rate: int
    turn: trio.Event | None = None

    @property
    def seconds(self) -> float:
        """How long the rest sounds."""
        return self.left / self.rate

    def take(self, seconds: float) -> Piece:
        """The next piece, of about ``seconds``; a packet is one piece, and so is a tone."""
        if isinstance(self.audio, list):
            tone = self.audio.pop(0)
            self.left = sum(map(milliseconds, self.audio))
            return tone
        if isinstance(self.audio, EncodedPacket):
            self.left = 0
            return self.audio
        start = len(self.audio) - self.left * BYTES_PER_SAMPLE
        count = min(self.left, round(seconds * self.rate))
        self.left -= count
        return self.audio[start : start + count * BYTES_PER_SAMPLE]

    def drop(self, waiting: float) -> float:
        """See ``Place.drop``."""
        seconds, self.left = self.seconds, 0
        return seconds


def part_of(audio: bytes | EncodedPacket, sample_rate: int) -> Part:
    """Samples at ``sample_rate``, or a packet."""
    if isinstance(audio, EncodedPacket):
        return Part(audio, audio.duration, audio.clock_rate)
    return Part(audio, len(audio) // BYTES_PER_SAMPLE, sample_rate)


def tones_part(tones: Sequence[Tone]) -> Part:
    """Tones, in their order."""
    return Part([*tones], sum(map(milliseconds, tones)), 1000)


def milliseconds(tone: Tone) -> int:
    """Of a tone, and the gap after it."""
    return round(1000 * (tone.duration + tone.gap))


class Listened(Protocol):
    """What is known of how far the listener has heard what was written, in seconds; see ``SpeakingVoice``."""

    @property
    def queued(self) -> float: ...
    @property
    def unheard(self) -> float: ...


class Started(Utterance):
    """An utterance with a task of its own. From its first piece until its last was sent it is alone on the voice.

    ``cancelled`` is to cancel this one, and nobody else.
    """

    def __init__(self, voice: Listened, cancelled: Callable[["Started"], None]) -> None:
        self.done = trio.Event()
        self.scope = trio.CancelScope()
        self.turn: trio.Event | None = None
        self.has_begun = False
        """Whether what is on the voice is of this one alone."""
        self.rest: list[Part] = []
        """Parts that are known, and not written yet."""
        self._voice = voice
        self._cancelled = cancelled
        self._written = 0.0
        self._heard: Heard | None = None

    @property
    def left(self) -> float:
        """See ``Place.left``: more may come as long as it is not done."""
        return not self.done.is_set()

    @property
    def heard(self) -> Heard:
        """See ``Utterance.heard``."""
        return self._heard or Heard(self._sent(self._voice.queued + self._voice.unheard), 0.0)

    def cancel(self) -> Heard:
        """See ``Utterance.cancel``."""
        if not self.done.is_set():
            self._cancelled(self)
        return self.heard

    def wrote(self, seconds: float) -> None:
        """So much more was given to the voice."""
        self._written += seconds

    def drop(self, waiting: float) -> float:
        """See ``Place.drop``."""
        unwritten = sum(part.drop(waiting) for part in self.rest)
        if not self.done.is_set():
            sent = self._sent(waiting)
            self._heard = Heard(sent, self._written - sent + unwritten)
            self.done.set()
            self.scope.cancel()
        return unwritten

    def end(self) -> None:
        """No more of it comes: what was sent is on its way to be heard."""
        if not self.done.is_set():
            self._heard = Heard(self._sent(self._voice.queued), 0.0)
            self.done.set()

    def _sent(self, waiting: float) -> float:
        return max(0.0, self._written - waiting) if self.has_begun else 0.0


def source_of(
    audio: Speakable | Sequence[Speakable] | AsyncIterable[Speakable],
    check: Callable[[Speakable], bytes | EncodedPacket],
) -> Source:
    """What ``start_saying`` is given; ``check`` raises ``ValueError``, and is asked at once where that is possible."""
    if isinstance(audio, AsyncIterable):
        return _checked(audio, check)
    if isinstance(audio, list | tuple):
        return [check(each) for each in audio]
    return [check(audio)]  # type: ignore[arg-type]  # which refuses other sequences by their name


async def _checked(
    audio: AsyncIterable[Speakable], check: Callable[[Speakable], bytes | EncodedPacket]
) -> AsyncGenerator[bytes | EncodedPacket, None]:
    iterator = aiter(audio)
    try:
        async for each in iterator:
            yield check(each)
    finally:
        if hasattr(iterator, "aclose"):
            await iterator.aclose()
