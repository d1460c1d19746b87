"""The voice ``elevenlabs``."""

from collections.abc import Sequence

from glottis import ComponentSpec, hookimpl
from glottis_conversation import TextToSpeech

from glottis_elevenlabs.voice import ElevenLabs, ElevenLabsConfig

__all__ = ["ElevenLabs", "ElevenLabsConfig"]


@hookimpl
def register_components() -> Sequence[ComponentSpec[TextToSpeech]]:
    """The voice ``elevenlabs``."""
    return [ComponentSpec(TextToSpeech, "elevenlabs", ElevenLabs, ElevenLabsConfig)]
