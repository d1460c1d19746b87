"""``openai``: recognisers, models and voices of OpenAI, and of whatever speaks its HTTP interface."""

from collections.abc import Sequence
from typing import Any

from glottis import AgentSpec, ComponentSpec, hookimpl
from glottis_conversation import LanguageModel, SpeechToText, TextToSpeech

from glottis_openai.chat import ChatCompletions
from glottis_openai.realtime import NAME, realtime
from glottis_openai.realtime_events import RATE
from glottis_openai.realtime_settings import RealtimeConfig
from glottis_openai.settings import ChatConfig, SpeechConfig, TranscriptionConfig
from glottis_openai.speech import Speech
from glottis_openai.transcriptions import Transcriptions

__all__ = [
    "ChatCompletions",
    "ChatConfig",
    "RealtimeConfig",
    "Speech",
    "SpeechConfig",
    "TranscriptionConfig",
    "Transcriptions",
    "realtime",
]


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``openai-realtime``."""
    return [AgentSpec(NAME, realtime, RealtimeConfig, sample_rate=RATE)]


@hookimpl
def register_components() -> Sequence[ComponentSpec[Any]]:
    """A part of each kind, all of them called ``openai``."""
    return [
        ComponentSpec(SpeechToText, "openai", Transcriptions, TranscriptionConfig),
        ComponentSpec(LanguageModel, "openai", ChatCompletions, ChatConfig),
        ComponentSpec(TextToSpeech, "openai", Speech, SpeechConfig),
    ]
