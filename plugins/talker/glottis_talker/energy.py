"""Tells speech from silence by its energy, measured against a noise floor that adapts.

Cheap and simple: a steady sound counts as speech at first, and becomes background after some seconds.
"""

import math
from operator import mul
from typing import Annotated, Final

import msgspec
from glottis import AudioFrame

QUIETEST_SPEECH_DBFS: Final = -45.0
LOWEST_FLOOR_DBFS: Final = -60.0
"""Below, digital silence would make a whisper of noise look loud."""
HIGHEST_FIRST_FLOOR_DBFS: Final = -30.0
"""Someone who speaks from the very first frame is not taken for noise."""
FLOOR_RISE_DB_PER_SECOND: Final = 6.0
"""Slow, so that a sentence does not raise the floor by more than the pauses in it lower it."""
FLOOR_FALL: Final = 0.5
"""Share of the way down to a quieter frame that the floor takes at once."""

_SILENCE_DBFS: Final = -96.0
_FULL_SCALE_SQUARED: Final = 32768.0**2
_EPSILON: Final = 1e-9
"""Seconds; frames that add up to a limit shall reach it despite rounding."""


class EnergyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the detector."""

    margin_db: Annotated[float, msgspec.Meta(ge=1, le=60)] = 12.0
    """Speech is this much louder than the noise around it."""
    onset_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 60
    """Sound must last this long: clicks and knocks are shorter."""
    hangover_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = 600
    """Silence must last this long: pauses between words are shorter."""


class EnergyDetector:
    """The ``SpeechDetector`` named ``energy``."""

    def __init__(self, config: EnergyConfig) -> None:
        self._margin_db = config.margin_db
        self._onset_seconds = config.onset_ms / 1000
        self._hangover_seconds = config.hangover_ms / 1000
        self.speaking = False
        self.spoken_seconds = 0.0
        """Length of the current or last speech, without the silence that ended it."""
        self._floor: float | None = None
        self._loud_seconds = 0.0
        self._quiet_seconds = 0.0

    def hear(self, frame: AudioFrame) -> None:
        """Take in one frame of any length and rate."""
        level = level_dbfs(frame)
        floor = self._adapted_floor(level, frame.duration)
        if level > max(floor + self._margin_db, QUIETEST_SPEECH_DBFS):
            self._hear_loud(frame.duration)
        else:
            self.hear_nothing(frame.duration)

    def hear_nothing(self, seconds: float) -> None:
        """Take in a time without sound."""
        self._loud_seconds = 0.0
        self._quiet_seconds += seconds
        if self._quiet_seconds >= self._hangover_seconds - _EPSILON:
            self.speaking = False

    def _hear_loud(self, seconds: float) -> None:
        self._loud_seconds += seconds
        if self.speaking:
            self.spoken_seconds += self._quiet_seconds + seconds
        elif self._loud_seconds >= self._onset_seconds - _EPSILON:
            self.speaking = True
            self.spoken_seconds = self._loud_seconds
        self._quiet_seconds = 0.0

    def _adapted_floor(self, level: float, seconds: float) -> float:
        floor = self._floor
        if floor is None:
            floor = min(level, HIGHEST_FIRST_FLOOR_DBFS)
        elif level < floor:
            floor += (level - floor) * FLOOR_FALL
        else:
            floor = min(level, floor + FLOOR_RISE_DB_PER_SECOND * seconds)
        self._floor = max(floor, LOWEST_FLOOR_DBFS)
        return self._floor


def level_dbfs(frame: AudioFrame) -> float:
    """Mean power in decibels relative to a full-scale square wave; -96 for silence."""
    samples = frame.samples.tolist()
    if not samples:
        return _SILENCE_DBFS
    power = sum(map(mul, samples, samples)) / len(samples) / _FULL_SCALE_SQUARED
    return max(_SILENCE_DBFS, 10 * math.log10(power)) if power else _SILENCE_DBFS
