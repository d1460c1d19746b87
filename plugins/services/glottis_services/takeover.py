"""What becomes of a call whose agent is a service that fails: another agent takes it over, or it ends."""

import logging

from glottis import Agent, Call, CampaignInfo, ConfigurationError

from glottis_services.errors import ServiceFailed

END: str = "the service behind this agent has failed"

_logger = logging.getLogger(__name__)


def check_campaign(name: str, sample_rate: int, when_failed: str, campaign: CampaignInfo | None) -> None:
    """Raises ``ConfigurationError`` for a campaign of another rate, or without the agent that is to take over."""
    if campaign is None:
        return
    if campaign.sample_rate != sample_rate:
        raise ConfigurationError(f"sample_rate: the agent {name} has {sample_rate} Hz, got {campaign.sample_rate}")
    if when_failed and when_failed not in campaign.agents:
        raise ConfigurationError(f"when_failed: the campaign has no agent {when_failed!r}")


def with_takeover(name: str, when_failed: str, agent: Agent) -> Agent:
    """``agent``, whose ``ServiceFailed`` is logged, and hands the call to ``when_failed`` if there is one."""

    async def converse(call: Call) -> None:
        try:
            await agent(call)
        except ServiceFailed as failure:
            reason = str(failure)  # a log may keep it: it has no traceback, in which the call would be kept, too
            _logger.warning("the agent %s has failed: %s", name, reason)
            if when_failed in call.agents:
                call.transfer(when_failed)
            else:
                call.hang_up(END)

    return converse
