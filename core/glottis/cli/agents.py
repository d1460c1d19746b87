"""Functions as agents: each has a campaign of its name, and may be loaded anew while calls go on."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import trio
from msgspec.structs import replace

from glottis.config import (
    AgentSection,
    Campaign,
    CampaignSection,
    Config,
    Isolation,
    Mistakes,
    ResolvedConfig,
    resolve,
)
from glottis.config.conversion import PluginSettings, convert
from glottis.contracts.errors import LocalError
from glottis.plugins import AgentFile, FunctionAgent, Registry

LOOK_INTERVAL: Final = 0.5
"""Seconds between looks at the files of an agent."""

logger = logging.getLogger(__name__)


Place = tuple[str, str]
"""Where the configuration names an agent: the campaign, and the agent's name among those of the campaign, or none."""


def functions_of(config: Config, known: FunctionAgent | None, mistakes: Mistakes) -> dict[Place, FunctionAgent]:
    """The agents that are a function, ``my.py:agent``, by place. Places that name the same one share it.

    What is none is noted.
    """
    found: dict[str, FunctionAgent] = {known.name: known} if known else {}
    places = {place: section.agent for place, section in _sections(config).items()}
    for place, name in places.items():
        if (":" in name or name.endswith(".py")) and name not in found:
            try:
                found[name] = AgentFile(name)
            except LocalError as error:
                mistakes.add(f"{_path_of(place)}.agent: {error}")
    return {place: found[name] for place, name in places.items() if name in found}


def _sections(config: Config) -> dict[Place, CampaignSection | AgentSection]:
    sections: dict[Place, CampaignSection | AgentSection] = {}
    for campaign_id, section in config.campaigns.items():
        sections[campaign_id, ""] = section
        sections.update({(campaign_id, name): other for name, other in section.agents.items()})
    return sections


def _path_of(place: Place) -> str:
    campaign_id, name = place
    return f"campaigns.{campaign_id}.agents.{name}" if name else f"campaigns.{campaign_id}"


def with_campaign(config: Config, agent: FunctionAgent, isolation: Isolation | None = None) -> Config:
    """The configuration with a campaign for this agent; one of its name keeps all but its agent.

    ``isolation`` is for this campaign, too, if it is given.
    """
    section = config.campaigns.get(agent.campaign_id, CampaignSection(agent=agent.name))
    section = msgspec.structs.replace(section, agent=agent.name, isolation=isolation or section.isolation)
    return msgspec.structs.replace(config, campaigns={**config.campaigns, agent.campaign_id: section})


def resolve_with(config: Config, agents: Mapping[Place, FunctionAgent], registry: Registry) -> ResolvedConfig:
    """The configuration whose campaigns have these agents, which ``registry`` has, too. Raises as ``resolve`` does.

    Nothing says what settings a function takes, so its calls are told all.
    """
    sections = _sections(config)
    untold = {name: _untold(name, section, agents) for name, section in config.campaigns.items()}
    resolved = resolve(msgspec.structs.replace(config, campaigns=untold), registry)
    told = {place: convert(sections[place].settings, dict[str, Any], f"{_path_of(place)}.settings") for place in agents}
    telling = {name: _telling(one, told) for name, one in resolved.campaigns.items()}
    campaigns = {campaign_id for campaign_id, _ in agents}
    versions = {name: partial(_version, [agents[one] for one in agents if one[0] == name]) for name in campaigns}
    followed = {name: replace(telling[name], version=version) for name, version in versions.items()}
    return replace(resolved, campaigns={**telling, **followed})


def _untold(campaign_id: str, section: CampaignSection, agents: Mapping[Place, FunctionAgent]) -> CampaignSection:
    """The section without the settings of functions."""
    others = {
        name: msgspec.structs.replace(other, settings=PluginSettings()) if (campaign_id, name) in agents else other
        for name, other in section.agents.items()
    }
    settings = PluginSettings() if (campaign_id, "") in agents else section.settings
    return msgspec.structs.replace(section, settings=settings, agents=others)


def _telling(campaign: Campaign, told: Mapping[Place, Mapping[str, Any]]) -> Campaign:
    """The campaign whose functions' calls are told these settings."""
    first = replace(campaign.agent, told_settings=told.get((campaign.id, ""), {}))
    agents = {
        name: first if one is campaign.agent else replace(one, told_settings=told.get((campaign.id, name), {}))
        for name, one in campaign.agents.items()
    }
    return replace(campaign, agent=first, agents=agents)


def _version(agents: Sequence[FunctionAgent]) -> int:
    return sum(agent.version for agent in agents)


async def reload_on_change(agents: Sequence[AgentFile]) -> None:
    """Load each agent anew whenever a file of it has changed, one after the other, until cancelled.

    Calls that go on keep theirs; a file that cannot be loaded changes nothing, and is told in the log.
    """
    seen = [agent.file_times() for agent in agents]
    while True:
        await trio.sleep(LOOK_INTERVAL)
        for index, agent in enumerate(agents):
            if (times := agent.file_times()) != seen[index]:
                seen[index] = times
                await _reload(agent)


async def _reload(agent: AgentFile) -> None:
    """In a thread, since to import may take long."""
    try:
        await trio.to_thread.run_sync(agent.reload, abandon_on_cancel=True)
    except LocalError as error:
        logger.error("%s; the agent stays as it was", error)
    else:
        logger.info("%s has changed: calls that begin now get the new one", agent.name)
