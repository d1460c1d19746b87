"""The voice ``hibari``, as it comes in its wheel."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from glottis import AudioFrame
from glottis.audio import chunks
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
FULL_SCALE: Final = 32768


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
        require(MODULE, "onnxruntime", "numpy")
        self.pace = 1.0
        self._config = config
        self._pool = _pool_of(config.copies)
        self._pool.prepare()

    async def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
        """The whole sentence, which takes about a hundredth of its length."""
        text = spoken_text(text)
        if text:
            speed = self._config.speed * self.pace
            whole = await self._pool.run(lambda model: _spoken(model, text, self._config, speed))
            for frame in chunks(whole, FRAME_SECONDS):
                yield frame


def _spoken(model: Any, text: str, config: HibariConfig, speed: float) -> AudioFrame:
    """In numpy, which the model has brought: a loop over samples would hold the interpreter's lock."""
    numpy = load("numpy")
    rate = int(model.sample_rate)
    samples = model(text, speed=speed)
    (loud,) = numpy.nonzero(abs(samples) > SILENT)
    if not len(loud):
        return AudioFrame(b"", rate)
    edge = round(EDGE_SECONDS * rate)
    kept = samples[max(0, loud[0] - edge) : loud[-1] + 1 + edge]
    scaled = numpy.clip(kept * (10 ** (config.gain_db / 20) * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    pause = bytes(2 * round(config.pause_ms / 1000 * rate))
    return AudioFrame(scaled.astype(numpy.int16).tobytes() + pause, rate)


@cache
def _pool_of(copies: int) -> Pool[Any]:
    return Pool(_load, copies)


def _load() -> Any:
    model = load(MODULE).Hibari()
    model.g2p  # noqa: B018  # loads it
    return model
