"""Speech without the Internet: ``silero`` finds it, ``moonshine`` understands it, ``hibari`` speaks.

For small devices ``pocketsphinx`` understands what a grammar allows, and ``flite`` speaks.
"""

from collections.abc import Sequence
from typing import Any

from glottis import ComponentSpec, VoiceActivityDetector, hookimpl
from glottis_conversation import SpeechToText, TextToSpeech

from glottis_local_speech.flite import Flite, FliteConfig
from glottis_local_speech.hibari import Hibari, HibariConfig
from glottis_local_speech.moonshine import Moonshine, MoonshineConfig
from glottis_local_speech.silero import Silero
from glottis_local_speech.sphinx import Sphinx, SphinxConfig

__all__ = [
    "Flite",
    "FliteConfig",
    "Hibari",
    "HibariConfig",
    "Moonshine",
    "MoonshineConfig",
    "Silero",
    "Sphinx",
    "SphinxConfig",
]


@hookimpl
def register_components() -> Sequence[ComponentSpec[Any]]:
    """The parts, whether their libraries are installed or not: who makes them is told."""
    return [
        ComponentSpec(VoiceActivityDetector, "silero", Silero),
        ComponentSpec(SpeechToText, "moonshine", Moonshine, MoonshineConfig),
        ComponentSpec(TextToSpeech, "hibari", Hibari, HibariConfig),
        ComponentSpec(SpeechToText, "pocketsphinx", Sphinx, SphinxConfig),
        ComponentSpec(TextToSpeech, "flite", Flite, FliteConfig),
    ]
