"""Tells speech from silence by its energy, measured against a noise floor that adapts.

Cheap and simple: a steady sound counts as speech at first, and becomes background after some seconds.
"""

from typing import Annotated, Final

import msgspec
from glottis import AudioFrame
from glottis.audio import level_dbfs

QUIETEST_SPEECH_DBFS: Final = -45.0
LOWEST_FLOOR_DBFS: Final = -60.0
"""Below, digital silence would make a whisper of noise look loud."""
HIGHEST_FIRST_FLOOR_DBFS: Final = -30.0
"""Someone who speaks from the very first frame is not taken for noise."""
FLOOR_RISE_DB_PER_SECOND: Final = 6.0
"""Slow, so that a sentence does not raise the floor by more than the pauses in it lower it."""
FLOOR_FALL: Final = 0.5
"""Share of the way down to a quieter frame that the floor takes at once."""


class EnergyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the detector."""

    margin_db: Annotated[float, msgspec.Meta(ge=1, le=60)] = 12.0
    """Speech is this much louder than the noise around it."""


class EnergyDetector:
    """The ``VoiceActivityDetector`` named ``energy``."""

    def __init__(self, config: EnergyConfig) -> None:
        self._margin_db = config.margin_db
        self._floor: float | None = None

    def detect(self, frame: AudioFrame) -> bool:
        """Whether this frame, of any length and rate, is loud against what is around it."""
        level = level_dbfs(frame)
        floor = self._adapted_floor(level, frame.duration)
        return level > max(floor + self._margin_db, QUIETEST_SPEECH_DBFS)

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
