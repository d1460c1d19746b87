"""The settings of the parts called ``openai``."""

from typing import Annotated, Any

import msgspec
from glottis_services import ServiceConfig
from msgspec import Meta

URL = "https://api.openai.com/v1"
SAMPLE_RATE = 24000
"""Of raw samples, in hertz, as OpenAI has them."""


class ChatConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the ``LanguageModel``."""

    model: str
    """As the service calls it."""
    url: str = URL
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    """Absent: the service's own."""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    """Added to each request: ``max_completion_tokens``, ``reasoning_effort``, ``chat_template_kwargs``…"""


class TranscriptionConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the ``SpeechToText``."""

    model: str = "gpt-4o-mini-transcribe"
    """As the service calls it."""
    url: str = URL
    language: str = ""
    """ISO 639-1, such as ``de``; empty: the service finds out."""
    prompt: str = ""
    """Words that are to be expected."""


class SpeechConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the ``TextToSpeech``."""

    model: str = "gpt-4o-mini-tts"
    """As the service calls it."""
    url: str = URL
    voice: str = "alloy"
    """As the service calls it."""
    instructions: str = ""
    """How to speak, for models that take them."""
    speed: Annotated[float, Meta(ge=0.25, le=4)] = 1.0
    """2 is twice as fast."""
    response_format: str = "pcm"
    """``wav`` for a service that has no ``pcm``."""
    sample_rate: Annotated[int, Meta(ge=8000, le=48000)] = SAMPLE_RATE
    """Of ``pcm``, in hertz; ``wav`` tells it."""


def authorization(config: ServiceConfig) -> dict[str, str]:
    """The headers that show the key."""
    key = config.api_key.reveal().strip() if config.api_key is not None else ""
    return {"Authorization": f"Bearer {key}"} if key else {}


def without_defaults(settings: msgspec.Struct, *names: str) -> dict[str, Any]:
    """Those of these settings that say something: services differ in what they take."""
    return {name: value for name in names if (value := getattr(settings, name)) not in ("", None, 1.0)}
