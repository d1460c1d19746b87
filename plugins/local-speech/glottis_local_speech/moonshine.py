"""The recogniser ``moonshine``: the model ``tiny-en`` of Useful Sensors, as it comes in its wheel."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated, Any, Final

import msgspec
import trio
from glottis import AudioFrame
from glottis.audio import joined, level_dbfs, to_floats
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


class MoonshineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the recogniser."""

    copies: Annotated[int, Meta(ge=1, le=64)] = 2
    """Models at most, of 230 MB each: so many turns are understood at a time."""


class Moonshine:
    """The ``SpeechToText`` named ``moonshine``."""

    def __init__(self, config: MoonshineConfig) -> None:
        require(MODULE)
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
            yield Transcript(guess.text)

    async def _understand(self, guess: "Guess", frames: list[AudioFrame]) -> None:
        with guess.scope:
            guess.text = await self._pool.run(lambda transcriber: _text_of(transcriber, frames))


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


def _text_of(transcriber: Any, frames: list[AudioFrame]) -> str:
    whole = joined(frames)
    if level_dbfs(whole) < QUIETEST_DBFS:
        return ""
    lines = transcriber.transcribe_without_streaming(to_floats(whole).tolist(), whole.sample_rate).lines
    return " ".join(line.text.strip() for line in lines if line.text.strip())


@cache
def _pool_of(copies: int) -> Pool[Any]:
    return Pool(_load, copies)


def _load() -> Any:
    """From the wheel: what else the library offers comes from the network."""
    path = load(f"{MODULE}.utils").get_model_path(MODEL)
    architecture = load(f"{MODULE}.moonshine_api").ModelArch.TINY
    return load(f"{MODULE}.transcriber").Transcriber(str(path), architecture, options=OPTIONS)
