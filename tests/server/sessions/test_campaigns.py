"""What an agent is told of the campaign that it answers for."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio.testing
from glottis import Agent, AgentSpec, Call, CampaignInfo, hookimpl
from support.gateway import CONFIG
from support.memory import open_memory_exchange


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    words: str


class Greeter:
    """Notes for which campaigns it makes agents, and the settings that these see in their calls."""

    def __init__(self) -> None:
        self.campaigns: list[CampaignInfo] = []
        self.seen: list[object] = []

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [AgentSpec("greeter", self.create, Greeting, sample_rate=24000)]

    def create(self, settings: Greeting, campaign: CampaignInfo) -> Agent:
        self.campaigns.append(campaign)

        async def greet(call: Call) -> None:
            self.seen.append((settings, call.info.campaign_settings, call.sample_rate))

        return greet


async def test_an_agent_knows_its_campaign_and_the_call_its_settings(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    plugin = Greeter()
    campaigns = (
        '\n[campaigns.sales]\nagent = "greeter"\nsettings = { words = "hi" }\n'
        '\n[campaigns.help]\nagent = "greeter"\nsample_rate = 8000\nsettings = { words = "ho" }\n'
    )
    async with open_memory_exchange(tmp_path, CONFIG + campaigns, [plugin]) as exchange:
        assert plugin.campaigns == [
            CampaignInfo("sales", 24000, ("greeter",)),
            CampaignInfo("help", 8000, ("greeter",)),
        ]
        phone = await exchange.call("help")
        await phone.wait_closed(3)
        phone.hang_down()
    assert plugin.seen == [(Greeting(words="ho"), Greeting(words="ho"), 8000)]
