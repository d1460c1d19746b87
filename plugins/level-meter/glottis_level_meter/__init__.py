"""The extension ``level-meter``: tells clients how loud both sides of their calls are, a few times a second."""

from collections.abc import Sequence

from glottis import CallInfo, Direction, FrameTap, Tell, hookimpl

from glottis_level_meter.meter import LevelMeter, MeterConfig

__all__ = ["LevelMeter", "MeterConfig"]


@hookimpl
def extension_settings() -> type[MeterConfig]:
    """See ``MeterConfig``."""
    return MeterConfig


@hookimpl
def audio_processors(
    call_info: CallInfo, direction: Direction, tell: Tell, settings: MeterConfig
) -> Sequence[FrameTap]:
    """A meter for each direction of each call."""
    return [LevelMeter(direction, tell, settings).process]
