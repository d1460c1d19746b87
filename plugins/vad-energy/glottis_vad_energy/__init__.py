"""The detector ``energy``: tells speech from silence by how loud it is. For any agent that has a detector."""

from collections.abc import Sequence

from glottis import ComponentSpec, VoiceActivityDetector, hookimpl

from glottis_vad_energy.energy import EnergyConfig, EnergyDetector

__all__ = ["EnergyConfig", "EnergyDetector"]


@hookimpl
def register_components() -> Sequence[ComponentSpec[VoiceActivityDetector]]:
    """The detector ``energy``."""
    return [ComponentSpec(VoiceActivityDetector, "energy", EnergyDetector, EnergyConfig)]
