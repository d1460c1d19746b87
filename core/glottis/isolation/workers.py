"""The pools of all agents that are isolated, and which campaign has which."""

from functools import partial
from typing import TYPE_CHECKING

import trio

from glottis.calls.call import GatewayCall
from glottis.calls.conversation import ConversationFactory
from glottis.config import Campaign, ResolvedConfig, Workers
from glottis.isolation.counts import PoolCounts

if TYPE_CHECKING:
    from glottis.isolation.pool import Pool


class AgentWorkers:
    """A pool for each campaign whose agents are isolated."""

    def __init__(self, config: ResolvedConfig) -> None:
        self._pools: dict[str, Pool] = {}
        self._factories: dict[str, ConversationFactory] = {}
        for name, campaign in config.campaigns.items():
            if campaign.workers is not None:
                pool, factory = _pool_of(name, campaign, campaign.workers, config)
                self._pools[name], self._factories[name] = pool, factory

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
        return self._factories.get(campaign_id, GatewayCall)

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


def _pool_of(
    name: str, campaign: Campaign, workers: Workers, config: ResolvedConfig
) -> tuple["Pool", ConversationFactory]:
    """Of a campaign's agents, and what makes its calls."""
    from glottis.isolation.orders import order_of  # late: a gateway without such agents starts sooner
    from glottis.isolation.pool import Pool
    from glottis.isolation.remote_call import RemoteCall

    timings = {key: one.plugin.timing(f"agent {one.name}") for key, one in campaign.agents.items()}
    whose = f"{campaign.agent.plugin}, agent {campaign.agent.name}"
    pool = Pool(whose, order_of(name, config), workers, timings, campaign.version)
    return pool, partial(RemoteCall, pool)
