"""What a worker has to make before calls can come: all agents of one campaign."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from glottis.calls.handover import Colleague
from glottis.config import Campaign, CampaignAgent, CampaignSection, Log, ResolvedConfig, typed_settings
from glottis.config.conversion import PluginSettings
from glottis.contracts.call import CampaignInfo
from glottis.contracts.info import CallInfo
from glottis.plugins import AgentFile, Plugin, Registry, create, load_beside, load_plugins


class AgentOrder(msgspec.Struct, frozen=True):
    """One agent, by the name that its plugin gives it. ``path`` is its section in the configuration."""

    agent: str
    path: str
    settings: PluginSettings
    told_settings: Mapping[str, Any]
    """Those that its calls are told, where it has no type of settings."""


class Order(msgspec.Struct, frozen=True):
    """Of the configuration, what concerns the agents, which are by their names in the campaign, the first first."""

    campaign: CampaignInfo
    agents: Mapping[str, AgentOrder]
    disabled: tuple[str, ...]
    log: Log


class Made(msgspec.Struct, frozen=True):
    """The agents, what their calls are told of the settings, and all plugins, to find the culprit of an error among."""

    agents: Mapping[str, Colleague]
    sample_rate: int
    frame_ms: int
    plugins: tuple[Plugin, ...]

    def informed(self, info: CallInfo, agent: str) -> CallInfo:
        """What a call is told of itself, with the settings of its agent, which do not go through the pipe."""
        return replace(info, campaign_settings=self.agents[agent].settings)


def order_of(campaign_id: str, resolved: ResolvedConfig) -> Order:
    """For a campaign of the configuration."""
    campaign, config = resolved.campaigns[campaign_id], resolved.config
    section = config.campaigns[campaign_id]
    agents = {name: _agent_order(campaign, section, name, one) for name, one in campaign.agents.items()}
    info = CampaignInfo(campaign_id, campaign.sample_rate, tuple(agents), campaign.frame_ms)
    return Order(info, agents, config.plugins.disabled, config.log)


def _agent_order(campaign: Campaign, section: CampaignSection, name: str, agent: CampaignAgent) -> AgentOrder:
    path = f"campaigns.{campaign.id}"
    if agent is campaign.agent:
        return AgentOrder(agent.name, path, section.settings, agent.told_settings)
    return AgentOrder(agent.name, f"{path}.agents.{name}", section.agents[name].settings, agent.told_settings)


def make(order: Order) -> Made:
    """In the worker. Raises ``LocalError``, as the gateway does when it starts."""
    files = dict.fromkeys(one.agent for one in order.agents.values() if ":" in one.agent)
    installed = load_plugins(disabled=order.disabled)  # first, as in the gateway, so that modules have the same names
    registry = load_beside(installed, [AgentFile(name) for name in files])
    agents = {name: _made(one, registry, order.campaign) for name, one in order.agents.items()}
    return Made(agents, order.campaign.sample_rate, order.campaign.frame_ms, registry.plugins)


def _made(order: AgentOrder, registry: Registry, campaign: CampaignInfo) -> Colleague:
    found = registry.agents.find(order.agent)
    typed = typed_settings(registry, found, order.settings, f"{order.path}.settings")
    told = typed if typed is not None else dict(order.told_settings)
    return Colleague(create(found.plugin, found.spec, typed, campaign), told)
