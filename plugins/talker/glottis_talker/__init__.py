"""The agent ``talker``: plays a tune until the caller speaks, listens, and goes on where it stopped.

Other packages can bring a ``SpeechDetector`` for it.
"""

from collections.abc import Sequence

from glottis import AgentSpec, ComponentSpec, hookimpl

from glottis_talker.agent import TalkerConfig, talker
from glottis_talker.detector import SpeechDetector
from glottis_talker.energy import EnergyConfig, EnergyDetector

__all__ = ["EnergyConfig", "EnergyDetector", "SpeechDetector", "TalkerConfig", "talker"]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``talker``."""
    return [AgentSpec("talker", talker, TalkerConfig)]


@hookimpl
def register_components() -> Sequence[ComponentSpec[SpeechDetector]]:
    """The detector ``energy``."""
    return [ComponentSpec(SpeechDetector, "energy", EnergyDetector, EnergyConfig)]
