"""The voice ``hibari``, as it comes in its wheel."""

from array import array
from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from glottis import AudioFrame
from glottis.audio import chunks, from_floats
from glottis_conversation.sentences import spoken_text
from msgspec import Meta

from glottis_local_speech.libraries import load, require
from glottis_local_speech.pool import Pool

MODULE: Final = "hibari"
SILENT: Final = 0.01
"""Of full scale: what is softer at both ends is the silence that the model puts there."""
EDGE_SECONDS: Final = 0.03
"""Left of it, for soft first and last sounds."""
FRAME_SECONDS: Final = 0.1


class HibariConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the voice."""

    gain_db: Annotated[float, Meta(ge=-20, le=30)] = 10.0
    """The model speaks at about -24 dBFS, which is soft for a telephone."""
    speed: Annotated[float, Meta(ge=0.5, le=2)] = 1.0
    """2 is twice as fast."""
    pause_ms: Annotated[int, Meta(ge=0, le=2000)] = 150
    """After each sentence."""
    copies: Annotated[int, Meta(ge=1, le=64)] = 2
    """Models at most: so many sentences are made at a time."""


class Hibari:
    """The ``TextToSpeech`` named ``hibari``."""

    def __init__(self, config: HibariConfig) -> None:
        require(MODULE, "onnxruntime")
        self._config = config
        self._pool = _pool_of(config.copies)

    async def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
        """The whole sentence, which takes about a hundredth of its length."""
        text = spoken_text(text)
        if text:
            whole = await self._pool.run(lambda model: _spoken(model, text, self._config))
            for frame in chunks(whole, FRAME_SECONDS):
                yield frame


def _spoken(model: Any, text: str, config: HibariConfig) -> AudioFrame:
    rate = int(model.sample_rate)
    samples = trimmed(array("f", model(text, speed=config.speed).tobytes()), round(EDGE_SECONDS * rate))
    gain = 10 ** (config.gain_db / 20)
    louder = array("f", [sample * gain for sample in samples])
    if louder:
        louder.extend([0.0] * round(config.pause_ms / 1000 * rate))
    return from_floats(louder, rate)


def trimmed(samples: "array[float]", edge: int) -> "array[float]":
    """Without the silence at both ends, but for ``edge`` samples of it; nothing, where all is silent."""
    start = next((at for at, sample in enumerate(samples) if abs(sample) > SILENT), len(samples))
    end = next((at for at in range(len(samples), start, -1) if abs(samples[at - 1]) > SILENT), start)
    return samples[max(0, start - edge) : end + edge] if end > start else samples[:0]


@cache
def _pool_of(copies: int) -> Pool[Any]:
    return Pool(_load, copies)


def _load() -> Any:
    model = load(MODULE).Hibari()
    model.g2p  # noqa: B018  # loads it
    return model
