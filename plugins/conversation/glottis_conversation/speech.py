"""One reply as it is spoken: sentence by sentence, each made while those before it are heard."""

from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import trio
from glottis import AudioFrame, Call, Resampling, Utterance
from glottis.audio import from_floats, to_floats

from glottis_conversation.chain import Chain, NoneWorks, Patience
from glottis_conversation.kinds import Manner, Paced, TextToSpeech
from glottis_conversation.matching import Matcher
from glottis_conversation.sentences import heard_part
from glottis_conversation.tape import Tape

AHEAD: Final = 2
"""Sentences that are made beside the one that is heard."""
MAX_SENTENCE_SECONDS: Final = 60.0
"""A voice that takes longer for one does not stop by itself."""
CHARACTERS_PER_SECOND: Final = 15.0
"""Of speech: for a share of what is not made yet."""
REWIND_SECONDS: Final = 0.4
"""Who was held goes on at the softest place of so much before: words are begun at their beginnings."""
HUSH_SECONDS: Final = 0.06
"""Of silence after what was broken off: listeners' ends draw the last sound out, where nothing follows it."""
SOFTLY: Final = 0.1
"""Of the level: 20 dB less."""
_ROUNDING: Final = 0.021
"""Seconds: a frame more or less is no word."""


@dataclass(eq=False, slots=True)
class Sentence:
    """A part of a reply."""

    text: str
    is_aside: bool = False
    """Whether it is no part of the answer, but fills time."""
    tape: Tape = field(default_factory=lambda: Tape(MAX_SENTENCE_SECONDS))
    utterance: Utterance | None = None
    """None before it is said, and while it is held."""
    has_begun: bool = False
    start: float = 0.0
    """Seconds of the tape before the utterance: it was held there."""
    reached: float = 0.0
    """Seconds of the tape that were sent before it was held."""
    is_written: bool = False
    """Whether it was written, since no voice could say it."""

    @property
    def heard(self) -> str:
        """What of it the caller has heard, by the share that was sent."""
        if self.is_written:
            return self.text
        sent, made = self.sent, self.tape.seconds
        whole = made if self.tape.ended.is_set() else max(made, len(self.text) / CHARACTERS_PER_SECOND)
        if not whole or not sent:
            return ""
        return self.text if sent + _ROUNDING >= whole else heard_part(self.text, sent / whole)

    @property
    def sent(self) -> float:
        """Seconds of the tape."""
        return max(self.reached, self.start + self.utterance.heard.sent) if self.utterance else self.reached

    @property
    def is_done(self) -> bool:
        """Whether all of it was sent, or the rest will not be."""
        return self.is_written or (self.utterance is not None and self.utterance.done.is_set())

    def hold(self, rewind: float) -> None:
        """Fall silent within a frame, to go on up to ``rewind`` seconds before."""
        if self.utterance is not None and not self.is_done:
            self.utterance.cancel()
            self.reached = self.sent
            self.start = self.tape.softest(self.reached - rewind, self.reached)
            self.utterance = None


@dataclass(frozen=True, slots=True)
class Voice:
    """What speaks in a call."""

    call: Call
    chain: Chain[TextToSpeech]
    resampling: Resampling
    patience: float
    manner: Manner = field(default_factory=Manner)
    pace: float = 1.0
    """The client's, beside that of the manner."""
    sends_texts: bool = True
    """Whether what cannot be spoken is sent as texts."""

    def say(self, voice: TextToSpeech, text: str) -> AsyncIterator[AudioFrame]:
        """A sentence in this manner, as far as the voice can."""
        if isinstance(voice, Paced):
            voice.pace = self.manner.pace * self.pace
        return voice.synthesize(text)

    def at_its_level(self, frame: AudioFrame) -> AudioFrame:
        """What a voice has made, as loud as it is wanted."""
        if not self.manner.gain_db:
            return frame
        return at_level(frame, 10 ** (self.manner.gain_db / 20))


def at_level(frame: AudioFrame, level: float) -> AudioFrame:
    """The frame, so many times as loud."""
    return from_floats(array("d", [level * sample for sample in to_floats(frame)]), frame.sample_rate)


class Speech:
    """A reply. ``run`` is for a task; ``began`` is told of each sentence that begins to be heard."""

    def __init__(self, voice: Voice, began: Callable[[Sentence], None]) -> None:
        self.sentences: list[Sentence] = []
        self._started: list[Sentence] = []
        """That are spoken, or were, in their order."""
        self._voice = voice
        self._began = began
        self._is_complete = False
        self._is_cancelled = False
        self._is_held = False
        self._level = 1.0
        self._changed = trio.Event()

    def say(self, text: str, *, is_aside: bool = False) -> None:
        """Add a sentence."""
        self.sentences.append(Sentence(text, is_aside))
        self._wake()

    def complete(self) -> None:
        """Nothing follows: ``run`` returns when all was heard."""
        self._is_complete = True
        self._wake()

    def cancel(self) -> None:
        """Fall silent within a frame, for good."""
        self._is_cancelled = True
        for sentence in self.sentences:
            if sentence.utterance is not None:
                sentence.utterance.cancel()
        self._wake()

    def hold(self, rewind: float = REWIND_SECONDS) -> None:
        """Fall silent within a frame, while what follows is found and made."""
        self._is_held = True
        is_broken_off = self._is_sounding
        for sentence in self.sentences:
            sentence.hold(rewind)
        if is_broken_off and rewind:
            self._hush()

    def go_on(self, level: float = 1.0) -> None:
        """Say what was held, from there on, or what is being said at another level."""
        if not self._is_held:
            self.hold(rewind=0)
        self._is_held, self._level = False, level
        for sentence in self._started:
            if sentence.utterance is None and not sentence.is_done:
                self._say(sentence)
        self._wake()

    @property
    def _is_sounding(self) -> bool:
        """Whether something would be broken off."""
        return any(each.has_begun and each.utterance is not None and not each.is_done for each in self.sentences)

    def _hush(self) -> None:
        call = self._voice.call
        call.start_saying(AudioFrame(bytes(2 * round(HUSH_SECONDS * call.sample_rate)), call.sample_rate))

    def heard(self, start: int = 0, end: int | None = None) -> str:
        """What of the answer the caller has heard, of these sentences."""
        return " ".join(each.heard for each in self.sentences[start:end] if each.heard and not each.is_aside)

    @property
    def unheard(self) -> list[str]:
        """The sentences of the answer that the caller has not heard to their ends."""
        return [each.text for each in self.sentences if each.heard != each.text and not each.is_aside]

    async def is_silent_for(self, seconds: float) -> bool:
        """Whether nothing is heard for so long before it is complete: waits until that is known."""
        while not self._is_complete and not self._is_cancelled:
            count = len(self.sentences)
            await self._wait_until_heard(count - 1)
            with trio.move_on_after(seconds) as scope:
                while len(self.sentences) == count and not self._is_complete and not self._is_cancelled:
                    await self._changed.wait()
            if scope.cancelled_caught:
                return True
        return False

    async def run(self) -> None:
        """Say all that is added."""
        async with trio.open_nursery() as nursery:
            position = 0
            while True:
                while position < len(self.sentences):
                    await self._wait_until_heard(position - AHEAD)
                    if self._is_cancelled:
                        return
                    await self._start(position, nursery)
                    self._wake()
                    position += 1
                if self._is_complete:
                    break
                await self._changed.wait()
            await self._wait_until_heard(position - 1)

    async def _start(self, position: int, nursery: trio.Nursery) -> None:
        sentence = self.sentences[position]
        if not self._voice.chain:
            await self._write(sentence)
            return
        self._started.append(sentence)
        if not self._is_held:
            self._say(sentence)
        nursery.start_soon(self._make, sentence, self.sentences[position - 1] if position else None)

    def _say(self, sentence: Sentence) -> None:
        sentence.utterance = self._voice.call.start_saying(self._played(sentence, self._level))

    async def _played(self, sentence: Sentence, level: float) -> AsyncIterator[AudioFrame]:
        async for frame in sentence.tape.frames(sentence.start):
            if not sentence.has_begun:
                sentence.has_begun = True
                self._began(sentence)
            yield frame if level == 1 else at_level(frame, level)

    async def _make(self, sentence: Sentence, before: Sentence | None) -> None:
        """One after the other: what is to be heard first shall not wait for what is not."""
        if before is not None:
            await before.tape.ended.wait()
        rate, tape = self._voice.call.sample_rate, sentence.tape
        matchers: list[Matcher] = []

        async def take(frame: AudioFrame) -> None:
            if not isinstance(frame, AudioFrame):
                raise ValueError(f"expected an AudioFrame, got {type(frame).__name__}")
            if tape.is_full:
                raise ValueError("the sentence does not end")
            if not matchers or matchers[-1].from_rate != frame.sample_rate:
                matchers.append(Matcher(self._voice.resampling, frame.sample_rate, rate))
            add(matchers[-1].convert(frame.pcm))

        def add(pcm: bytes) -> None:
            if pcm:
                tape.add(self._voice.at_its_level(AudioFrame(pcm, rate)))

        patience = Patience(self._voice.patience)
        try:
            await self._voice.chain.run(
                lambda voice: self._voice.say(voice, sentence.text), take, patience, can_repeat=False
            )
            for matcher in matchers[-1:]:
                add(matcher.rest())
        except NoneWorks:
            pass  # what was made of it is heard
        finally:
            tape.end()
        if not tape.seconds:
            await self._write(sentence)

    async def _write(self, sentence: Sentence) -> None:
        if self._voice.sends_texts:
            await self._voice.call.send_text(sentence.text)
        sentence.is_written = True
        self._began(sentence)

    async def _wait_until_heard(self, position: int) -> None:
        while position >= 0 and not self._is_cancelled and not (sentence := self.sentences[position]).is_done:
            await (sentence.utterance.done if sentence.utterance is not None else self._changed).wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
