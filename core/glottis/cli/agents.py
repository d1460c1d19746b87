"""Functions as agents: each has a campaign of its name, and may be loaded anew while calls go on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import trio

from glottis.config import CampaignSection, Config, ResolvedConfig, resolve
from glottis.config.conversion import PluginSettings, convert
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.plugins import AgentFile, FunctionAgent, Registry

LOOK_INTERVAL: Final = 0.5
"""Seconds between looks at the files of an agent."""

logger = logging.getLogger(__name__)


def functions_of(config: Config, known: FunctionAgent | None) -> dict[str, FunctionAgent]:
    """By campaign, the agents that are a function: ``my.py:agent``. Campaigns that name the same one share it.

    Raises ``ConfigurationError`` with one line for each that is none.
    """
    found: dict[str, FunctionAgent] = {known.name: known} if known else {}
    problems = []
    for campaign_id, section in config.campaigns.items():
        if ":" in section.agent and section.agent not in found:
            try:
                found[section.agent] = AgentFile(section.agent)
            except LocalError as error:
                problems.append(f"campaigns.{campaign_id}.agent: {error}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return {name: found[section.agent] for name, section in config.campaigns.items() if section.agent in found}


def with_campaign(config: Config, agent: FunctionAgent) -> Config:
    """The configuration with a campaign for this agent; one of its name keeps all but its agent."""
    section = config.campaigns.get(agent.campaign_id, CampaignSection(agent=agent.name))
    section = msgspec.structs.replace(section, agent=agent.name)
    return msgspec.structs.replace(config, campaigns={**config.campaigns, agent.campaign_id: section})


def resolve_with(config: Config, agents: Mapping[str, FunctionAgent], registry: Registry) -> ResolvedConfig:
    """The configuration whose campaigns have these agents, which ``registry`` has, too. Raises as ``resolve`` does.

    Nothing says what settings a function takes, so its calls are told all.
    """
    settings = {name: config.campaigns[name].settings for name in agents}
    untold = {name: msgspec.structs.replace(config.campaigns[name], settings=PluginSettings()) for name in agents}
    resolved = resolve(msgspec.structs.replace(config, campaigns={**config.campaigns, **untold}), registry)
    told = {
        name: replace(
            resolved.campaigns[name],
            told_settings=convert(settings[name], dict[str, Any], f"campaigns.{name}.settings"),
        )
        for name in agents
    }
    return replace(resolved, campaigns={**resolved.campaigns, **told})


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
