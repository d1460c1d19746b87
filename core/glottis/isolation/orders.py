"""What a worker has to make before calls can come: one agent of one campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from glottis.config import Log, ResolvedConfig, typed_settings
from glottis.config.conversion import PluginSettings
from glottis.contracts.call import Agent, CampaignInfo
from glottis.contracts.info import CallInfo
from glottis.plugins import AgentFile, FunctionAgent, Plugin, create, load_plugins


@dataclass(frozen=True, slots=True)
class Order:
    """Of the configuration, what concerns the agent. ``told_settings`` are those that its calls are told."""

    campaign_id: str
    agent: str
    settings: PluginSettings
    told_settings: Mapping[str, Any]
    sample_rate: int
    disabled: tuple[str, ...]
    log: Log


@dataclass(frozen=True, slots=True)
class Made:
    """The agent, what its calls are told of its settings, and all plugins, to find the culprit of an error among."""

    agent: Agent
    sample_rate: int
    settings: Any
    plugins: tuple[Plugin, ...]

    def informed(self, info: CallInfo) -> CallInfo:
        """What a call is told of itself, with the settings of its campaign, which do not go through the pipe."""
        return replace(info, campaign_settings=self.settings)


def order_of(campaign_id: str, resolved: ResolvedConfig) -> Order:
    """For a campaign of the configuration."""
    campaign, config = resolved.campaigns[campaign_id], resolved.config
    return Order(
        campaign_id,
        campaign.agent.name,
        config.campaigns[campaign_id].settings,
        campaign.agent.told_settings,
        campaign.sample_rate,
        config.plugins.disabled,
        config.log,
    )


def make(order: Order) -> Made:
    """In the worker. Raises ``LocalError``, as the gateway does when it starts."""
    functions: list[FunctionAgent] = [AgentFile(order.agent)] if ":" in order.agent else []
    registry = load_plugins(extra=functions, disabled=order.disabled)
    found = registry.agents.find(order.agent)
    typed = typed_settings(registry, found, order.settings, f"campaigns.{order.campaign_id}.settings")
    agent = create(found.plugin, found.spec, typed, CampaignInfo(order.campaign_id, order.sample_rate, (order.agent,)))
    told = typed if typed is not None else dict(order.told_settings)
    return Made(agent, order.sample_rate, told, registry.plugins)
