"""Agents, codecs and recognisers by the names that a script has for them."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from glottis.config.components import typed_settings
from glottis.contracts.call import Agent, CampaignInfo
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.plugins import AgentFile, Registry, create, load_beside
from glottis.testing.rules.subject import installed


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


def recogniser_named(name: str, settings: Mapping[str, Any]) -> Callable[[], Any]:
    """What makes the method ``transcribe`` of a component of any kind that has one. Raises ``ConfigurationError``."""
    registry: Registry = installed()
    for kind in registry.components:
        catalogue = registry.components_of(kind)
        if hasattr(kind, "transcribe") and name in catalogue:
            found = catalogue.find(name)
            typed = typed_settings(registry, found, settings, "recogniser_settings")
            return lambda: cast(Any, create(found.plugin, found.spec, typed)).transcribe
    raise ConfigurationError(f"recogniser: no installed component of this name can transcribe: {name!r}")
