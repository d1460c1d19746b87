"""The pools of all agents that are isolated, and which campaign has which."""

from functools import partial

import trio

from glottis.calls.call import GatewayCall
from glottis.calls.conversation import ConversationFactory
from glottis.config import ResolvedConfig
from glottis.isolation.orders import order_of
from glottis.isolation.pool import Pool, PoolCounts
from glottis.isolation.remote_call import RemoteCall


class AgentWorkers:
    """A pool for each campaign whose agents are isolated."""

    def __init__(self, config: ResolvedConfig) -> None:
        self._pools = {
            name: Pool(
                f"{campaign.agent.plugin}, agent {campaign.agent.name}",
                order_of(name, config),
                campaign.workers,
                {key: one.plugin.timing(f"agent {one.name}") for key, one in campaign.agents.items()},
                campaign.version,
            )
            for name, campaign in config.campaigns.items()
            if campaign.workers is not None
        }

    async def run(self) -> None:
        """Until cancelled, which ends all processes."""
        async with trio.open_nursery() as nursery:
            for pool in self._pools.values():
                nursery.start_soon(pool.run)

    @property
    def have_begun(self) -> bool:
        """Whether those of each campaign can have calls, or have failed: those keep no others waiting."""
        return all(pool.has_begun for pool in self._pools.values())

    async def begun(self) -> None:
        """Wait until they have."""
        for pool in self._pools.values():
            await pool.begun()

    async def some_ready(self, campaign_id: str) -> bool:
        """Wait for those of this campaign, as long as a call waits for its place; says whether there is one.

        A caller who is connected sooner speaks to nobody: what is said before the agent is there is lost.
        """
        pool = self._pools.get(campaign_id)
        return pool is None or await pool.some_ready()

    def factory(self, campaign_id: str) -> ConversationFactory:
        """What makes the calls of a campaign."""
        pool = self._pools.get(campaign_id)
        return GatewayCall if pool is None else partial(RemoteCall, pool)

    def is_full(self, campaign_id: str) -> bool:
        """Whether a call of this campaign would find no place."""
        pool = self._pools.get(campaign_id)
        return pool is not None and pool.is_full

    @property
    def running(self) -> int:
        """How many processes there are."""
        return sum(pool.running for pool in self._pools.values())

    @property
    def ready(self) -> int:
        """How many of these have loaded their agents, and take calls."""
        return sum(pool.ready for pool in self._pools.values())

    def counts(self) -> PoolCounts:
        """Of all together."""
        total = PoolCounts()
        for pool in self._pools.values():
            total.started += pool.counts.started
            total.lost += pool.counts.lost
            total.calls_lost += pool.counts.calls_lost
            total.calls_refused += pool.counts.calls_refused
        return total
