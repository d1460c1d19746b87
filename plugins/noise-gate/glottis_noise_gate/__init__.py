"""The extension ``noise-gate``: silence in place of what is too quiet to be speech."""

from collections.abc import Sequence

from glottis import CallInfo, Direction, FrameTap, hookimpl

from glottis_noise_gate.gate import GateConfig, NoiseGate

__all__ = ["GateConfig", "NoiseGate"]


@hookimpl
def extension_settings() -> type[GateConfig]:
    """See ``GateConfig``."""
    return GateConfig


@hookimpl
def audio_processors(call_info: CallInfo, direction: Direction, settings: GateConfig) -> Sequence[FrameTap]:
    """A gate for each call, in the directions that are to have one."""
    return [NoiseGate(settings).process] if direction in settings.directions else []
