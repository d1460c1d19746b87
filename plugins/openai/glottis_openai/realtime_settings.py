"""The settings of the agent ``openai-realtime``."""

from typing import Annotated, Literal

from glottis import Component, TurnSettings, VoiceActivityDetector
from glottis_conversation import Toolbox
from glottis_services import ServiceConfig
from msgspec import Meta

from glottis_openai.settings import URL


class RealtimeConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the agent."""

    model: str = "gpt-realtime-2"
    """As the service calls it."""
    url: str = URL
    voice: str = "marin"
    """As the service calls it."""
    instructions: str = ""
    """How to behave."""
    greeting: str = ""
    """What to say first, in words of the model's own. Empty: it waits for the caller."""
    tools: tuple[Component[Toolbox], ...] = ()
    """Bring what the model can do but talk."""
    turn_detection: Literal["server_vad", "semantic_vad", "local"] = "server_vad"
    """Who tells when the caller's turn begins and ends: two ways of the service, or ``vad``."""
    vad: Component[VoiceActivityDetector] = Component("energy")
    """Tells when the caller speaks, where ``turn_detection`` is ``local``."""
    turns: TurnSettings = TurnSettings(hangover_ms=500)
    """When a turn begins and ends, where ``turn_detection`` is ``local``."""
    interrupt_ms: Annotated[int, Meta(ge=0, le=5000)] = 100
    """A caller who speaks so long interrupts, where ``turn_detection`` is ``local``."""
    transcription_model: str = ""
    """Writes down what the caller says: ``gpt-4o-mini-transcribe``, for example. Empty: nothing does."""
    patience: Annotated[float, Meta(gt=0, le=300)] = 15.0
    """Seconds for the first sound of an answer, and for each tool."""
    max_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 3500.0
    """The longest call: the service ends a session after an hour."""
    when_failed: str = ""
    """An agent of this campaign that takes over where the service fails. Empty: the call ends."""
