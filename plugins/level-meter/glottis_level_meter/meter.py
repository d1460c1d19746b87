"""Measures frames that pass by, and tells of them now and then."""

import math
from operator import mul
from typing import Annotated, Final

import msgspec
from glottis import AudioFrame, Direction, Tell

EVENT: Final = "level"
FULL_SCALE: Final = 32768
SILENCE_DBFS: Final = -96.0


class MeterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the meter."""

    interval_ms: Annotated[int, msgspec.Meta(ge=100, le=10_000)] = 250
    """Of audio, between two events of one direction."""


class LevelMeter:
    """Of one direction of a call. Frames go on as they came."""

    def __init__(self, direction: Direction, tell: Tell, settings: MeterConfig) -> None:
        self._direction = direction
        self._tell = tell
        self._interval = settings.interval_ms / 1000
        self._seconds = 0.0
        self._samples = self._power = self._peak = 0

    def process(self, frame: AudioFrame) -> AudioFrame:
        """Measure the frame; at the end of an interval, tell."""
        samples = frame.samples.tolist()
        self._power += sum(map(mul, samples, samples))
        self._samples += len(samples)
        self._peak = max(self._peak, max(samples, default=0), -min(samples, default=0))
        self._seconds += frame.duration
        if self._seconds >= self._interval - 1e-6:
            self._report()
        return frame

    def _report(self) -> None:
        mean = math.sqrt(self._power / self._samples)
        self._tell(EVENT, {"direction": self._direction, "dbfs": _dbfs(mean), "peakDbfs": _dbfs(self._peak)})
        self._seconds = 0.0
        self._samples = self._power = self._peak = 0


def _dbfs(value: float) -> float:
    """Relative to full scale, with a digit after the point."""
    return round(max(SILENCE_DBFS, 20 * math.log10(value / FULL_SCALE)), 1) if value else SILENCE_DBFS
