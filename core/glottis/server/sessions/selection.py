"""Which agent answers a call."""

import logging
from dataclasses import replace

import msgspec

from glottis.config import Campaign
from glottis.contracts.errors import PluginError
from glottis.contracts.info import CallInfo
from glottis.plugins.failures import log_failure

logger = logging.getLogger(__name__)


def with_selected_agent(campaign: Campaign, info: CallInfo) -> tuple[Campaign, CallInfo]:
    """The campaign as this call has it, and what the call is told of its settings.

    The first extension that names an agent decides; else it is the campaign's own.
    """
    if len(campaign.agents) < 2:
        return campaign, info
    available = tuple(campaign.agents)
    for extension in campaign.extensions:
        try:
            name = extension.select_agent(info, available)
        except PluginError as error:
            log_failure(logger, error, "session %s: %s selects nobody", info.session_id, extension.plugin)
            continue
        if name is not None:
            agent = campaign.agents[name]
            return msgspec.structs.replace(campaign, agent=agent), replace(info, campaign_settings=agent.told)
    return campaign, info
