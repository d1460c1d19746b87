"""Audio processors, made of a good one: each call has a list of them."""

from array import array
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glottis import AudioFrame
from glottis.testing.rules.processor import MakeProcessors


class Fade:
    """Makes the beginning of a call softer."""

    def __init__(self) -> None:
        self.frames = 0

    def process(self, frame: AudioFrame) -> AudioFrame:
        self.frames += 1
        return frame if self.frames > 10 else replace(frame, pcm=softened(frame, self.frames / 10))


def softened(frame: AudioFrame, factor: float) -> bytes:
    return array("h", (int(sample * factor) for sample in frame.samples)).tobytes()


class Shared(Fade):
    """Fades in the first call only."""

    heard = 0

    def process(self, frame: AudioFrame) -> AudioFrame:
        Shared.heard += 1
        self.frames = Shared.heard
        return super().process(frame)


class Doubling(Fade):
    """Is for full scale only."""

    def process(self, frame: AudioFrame) -> AudioFrame:
        return replace(frame, pcm=array("h", [2 * sample for sample in frame.samples]).tobytes())


class Narrow(Fade):
    """Is for telephones."""

    def process(self, frame: AudioFrame) -> AudioFrame:
        return replace(frame, sample_rate=8000)


class Slow(Fade):
    def process(self, frame: AudioFrame) -> AudioFrame:
        for _ in range(150_000):
            pass
        return super().process(frame)


kept: list[Fade] = []


class Remembering(Fade):
    """Keeps the whole call, to be able to say what was in it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[AudioFrame] = []

    def process(self, frame: AudioFrame) -> AudioFrame:
        self.heard.append(frame)
        return super().process(frame)


def hoarding() -> list[Any]:
    kept.append(Fade())
    return [kept[-1].process]


async def waiting(frame: AudioFrame) -> AudioFrame:
    return frame


def always(processor: type[Fade]) -> MakeProcessors:
    return lambda: [processor().process]


GOOD = always(Fade)
BAD: Mapping[str, list[Any]] = {
    "description": [lambda: [waiting], lambda: ["gate"]],
    "length": [always(Narrow), lambda: [lambda frame: replace(frame, pcm=frame.pcm[2:])], lambda: [lambda frame: None]],
    "any-sound": [always(Doubling)],
    "independence": [always(Shared)],
    "lateness": [always(Slow)],
    "leaks": [hoarding, always(Remembering)],
}
