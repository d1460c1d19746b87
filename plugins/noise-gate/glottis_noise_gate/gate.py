"""A gate that opens for what is loud enough, and closes a little after it."""

from array import array
from typing import Annotated, Final

import msgspec
from glottis import AudioFrame, Direction
from glottis.audio import level_dbfs

FADE_SECONDS: Final = 0.005
"""In which the gate opens or closes: at once would click."""


class GateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the gate."""

    threshold_dbfs: Annotated[float, msgspec.Meta(ge=-96, le=0)] = -50.0
    """What is quieter is no speech. Speech over a telephone has -35 to -15 dBFS."""
    hold_ms: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 300
    """The gate stays open for so long after the last frame that was loud enough: words end quietly."""
    directions: tuple[Direction, ...] = ("input",)


class NoiseGate:
    """Of one direction of a call."""

    def __init__(self, settings: GateConfig) -> None:
        self._threshold = settings.threshold_dbfs
        self._hold = settings.hold_ms / 1000
        self._is_open = False
        self._quiet = 0.0
        """Seconds since the last frame that was loud enough."""

    def process(self, frame: AudioFrame) -> AudioFrame:
        """The frame, or silence of its length."""
        self._quiet = 0.0 if level_dbfs(frame) >= self._threshold else self._quiet + frame.duration
        was_open, self._is_open = self._is_open, self._quiet == 0.0 or (self._is_open and self._quiet <= self._hold)
        if self._is_open and was_open:
            return frame
        pcm = _faded(frame, self._is_open) if self._is_open or was_open else bytes(len(frame.pcm))
        return AudioFrame(pcm, frame.sample_rate, frame.timestamp)


def _faded(frame: AudioFrame, rising: bool) -> bytes:
    """In or out, at the beginning of the frame."""
    samples = array("h", frame.pcm)
    count = min(len(samples), round(FADE_SECONDS * frame.sample_rate))
    for index in range(count):
        samples[index] = samples[index] * (index if rising else count - index) // count
    return samples.tobytes() if rising else samples[:count].tobytes().ljust(len(frame.pcm), b"\0")
