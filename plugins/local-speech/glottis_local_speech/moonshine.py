"""The recogniser ``moonshine``: the model ``tiny-en`` of Useful Sensors, as it comes in its wheel."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated, Any, Final

import msgspec
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


class MoonshineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the recogniser."""

    copies: Annotated[int, Meta(ge=1, le=64)] = 2
    """Models at most, of 230 MB each: so many turns are understood at a time."""


class Moonshine:
    """The ``SpeechToText`` named ``moonshine``."""

    def __init__(self, config: MoonshineConfig) -> None:
        require(MODULE)
        self._pool = _pool_of(config.copies)

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        """The whole turn at its end."""
        frames = [frame async for frame in audio]
        if frames:
            text = await self._pool.run(lambda transcriber: _text_of(transcriber, frames))
            if text:
                yield Transcript(text)


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
