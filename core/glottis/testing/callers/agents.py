"""Agents, codecs and recognisers by the names that a script has for them."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol, cast

from glottis.config.components import typed_settings
from glottis.contracts.audio import AudioFrame
from glottis.contracts.call import Agent, CampaignInfo
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.plugins import AgentFile, Registry, create, load_beside
from glottis.testing.rules.subject import installed


class Understood(Protocol):
    """What was said; a partial one may change."""

    @property
    def text(self) -> str: ...
    @property
    def is_final(self) -> bool: ...


class Recogniser(Protocol):
    """Understands speech, as components of the kind ``SpeechToText`` of glottis-conversation do."""

    def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Understood]:
        """What is said in ``audio``; the final ones add up to the whole."""


def agent_named(agent: Agent | str, settings: Mapping[str, Any], sample_rate: int) -> tuple[Agent, Any]:
    """With what its calls are told of its settings. Raises ``ConfigurationError``."""
    if not isinstance(agent, str):
        return agent, settings
    registry = installed()
    try:
        if ":" in agent:
            registry = load_beside(registry, [AgentFile(agent)])
        found = registry.agents.find(agent)
    except LocalError as error:
        raise ConfigurationError(f"agent: {error}") from None
    typed = typed_settings(registry, found, settings, "settings")
    campaign = CampaignInfo("campaign", sample_rate)
    made: Agent = create(found.plugin, found.spec, typed, campaign)
    return made, settings if typed is None else typed


def codec_named(name: str) -> CodecSpec:
    """Raises ``ConfigurationError``."""
    try:
        return installed().codecs.find(name).spec
    except ConfigurationError as error:
        raise ConfigurationError(f"codec: {error}") from None


def recogniser_named(recogniser: str | Recogniser, settings: Mapping[str, Any]) -> Callable[[], Recogniser] | None:
    """What makes one, of a component of any kind that can transcribe. Raises ``ConfigurationError``."""
    if not isinstance(recogniser, str):
        return lambda: recogniser
    if not recogniser:
        return None
    registry: Registry = installed()
    for kind in registry.components:
        catalogue = registry.components_of(kind)
        if hasattr(kind, "transcribe") and recogniser in catalogue:
            found = catalogue.find(recogniser)
            typed = typed_settings(registry, found, settings, "recogniser_settings")
            return lambda: cast(Recogniser, create(found.plugin, found.spec, typed))
    raise ConfigurationError(f"recogniser: no installed component of this name can transcribe: {recogniser!r}")
