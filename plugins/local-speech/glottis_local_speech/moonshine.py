"""The recogniser ``moonshine``: the model ``tiny-en`` of Useful Sensors, as it comes in its wheel."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import trio
from glottis import AudioFrame
from glottis.audio import joined, level_dbfs
from glottis_conversation import Transcript
from msgspec import Meta

from glottis_local_speech.libraries import load, require
from glottis_local_speech.pool import Pool

MODULE: Final = "moonshine_voice"
MODEL: Final = "tiny-en"
OPTIONS: Final = {"vad_threshold": "0", "return_audio_data": "false"}
"""Turns are found by the agent, and the sound is not wanted back."""
QUIETEST_DBFS: Final = -60.0
"""Of silence the model says "You"."""
PAUSE_SECONDS: Final = 0.13
PAUSE_DB: Final = 25.0
"""Softer than the loudest frame of the turn."""
FULL_SCALE: Final = 32768


class Look(NamedTuple):
    """One way to look at a turn. From small changes some words come out otherwise, better or worse."""

    lead: float
    """Seconds of silence before it."""
    emphasis: float
    """Of high frequencies, by which consonants differ: this share of each sample is taken from the next."""


FIRST: Final = Look(lead=0.1, emphasis=0.5)
"""Of 546 words of synthetic voices 48 are wrong so, and 62 as they are."""
OTHERS: Final = (
    Look(lead=0.0, emphasis=0.5),
    Look(lead=0.2, emphasis=0.0),
    Look(lead=0.1, emphasis=0.8),
    Look(lead=0.0, emphasis=0.0),
    Look(lead=0.3, emphasis=0.5),
)


class MoonshineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the recogniser."""

    copies: Annotated[int, Meta(ge=1, le=64)] = 2
    """Models at most, of 230 MB each: so many turns are understood at a time."""


class Moonshine:
    """The ``SpeechToText`` named ``moonshine``."""

    def __init__(self, config: MoonshineConfig) -> None:
        require(MODULE, "numpy")
        self._pool = _pool_of(config.copies)
        self._pool.prepare()

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        """The whole turn at its end; begun in each pause, since the silence that ends a turn takes as long."""
        frames: list[AudioFrame] = []
        pause, guess = Pause(), Guess()
        async with trio.open_nursery() as nursery:
            async for frame in audio:
                frames.append(frame)
                if pause.begins_with(frame):
                    guess.scope.cancel()
                    guess = Guess()
                    nursery.start_soon(self._understand, guess, [*frames])
                elif not pause.seconds:
                    guess.scope.cancel()
            if frames and guess.scope.cancel_called:
                guess = Guess()
                await self._understand(guess, frames)
        if guess.text:
            yield Transcript(guess.text, again=lambda: self._again(frames))

    async def _understand(self, guess: "Guess", frames: list[AudioFrame]) -> None:
        with guess.scope:
            guess.text = await self._text(frames, FIRST)

    async def _again(self, frames: list[AudioFrame]) -> AsyncIterator[str]:
        for look in OTHERS:
            if text := await self._text(frames, look):
                yield text

    async def _text(self, frames: list[AudioFrame], look: Look) -> str:
        return await self._pool.run(lambda transcriber: _text_of(transcriber, frames, look))


class Guess:
    """What was said, if nothing follows; of no use once its scope is cancelled."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.text = ""


class Pause:
    """Finds pauses in a turn: what is much softer than its loudest frame."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """How long this one is by now; 0 while somebody speaks."""
        self._loudest = QUIETEST_DBFS

    def begins_with(self, frame: AudioFrame) -> bool:
        """Whether by this frame it has become one."""
        level, before = level_dbfs(frame), self.seconds
        self._loudest = max(self._loudest, level)
        self.seconds = before + frame.duration if level < self._loudest - PAUSE_DB else 0.0
        return before < PAUSE_SECONDS <= self.seconds


def _text_of(transcriber: Any, frames: list[AudioFrame], look: Look) -> str:
    whole = joined(frames)
    if level_dbfs(whole) < QUIETEST_DBFS:
        return ""
    lines = transcriber.transcribe_without_streaming(_samples(whole, look), whole.sample_rate).lines
    return " ".join(line.text.strip() for line in lines if line.text.strip())


def _samples(whole: AudioFrame, look: Look) -> list[float]:
    """As loud as before, about. In numpy: a loop over samples would hold the interpreter's lock."""
    numpy = load("numpy")
    heard = numpy.frombuffer(whole.pcm, numpy.int16) / FULL_SCALE
    before = numpy.concatenate(([0.0], heard[:-1]))
    seen = numpy.clip((heard - look.emphasis * before) * (1 + look.emphasis), -1, 1)
    samples: list[float] = numpy.concatenate((numpy.zeros(round(look.lead * whole.sample_rate)), seen)).tolist()
    return samples


@cache
def _pool_of(copies: int) -> Pool[Any]:
    return Pool(_load, copies)


def _load() -> Any:
    """From the wheel: what else the library offers comes from the network."""
    path = load(f"{MODULE}.utils").get_model_path(MODEL)
    architecture = load(f"{MODULE}.moonshine_api").ModelArch.TINY
    return load(f"{MODULE}.transcriber").Transcriber(str(path), architecture, options=OPTIONS)
