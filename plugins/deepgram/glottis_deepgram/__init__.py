"""``deepgram``: understands callers while they speak, and speaks."""

from collections.abc import Sequence
from typing import Any

from glottis import ComponentSpec, hookimpl
from glottis_conversation import SpeechToText, TextToSpeech

from glottis_deepgram.listening import Deepgram
from glottis_deepgram.settings import AuraConfig, DeepgramConfig
from glottis_deepgram.speaking import Aura

__all__ = ["Aura", "AuraConfig", "Deepgram", "DeepgramConfig"]


@hookimpl
def register_components() -> Sequence[ComponentSpec[Any]]:
    """The recogniser and the voice, both called ``deepgram``."""
    return [
        ComponentSpec(SpeechToText, "deepgram", Deepgram, DeepgramConfig),
        ComponentSpec(TextToSpeech, "deepgram", Aura, AuraConfig),
    ]
