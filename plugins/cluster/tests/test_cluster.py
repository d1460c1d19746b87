"""Several nodes and a real Redis: sessions are where there is room, and go on whatever becomes of the others."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from support.gateway import CONFIG, open_test_gateway
from support.phone import Exchange, eventually, open_exchange
from support.redis import RedisServer, open_redis

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),  # of connections that broke
]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path) as server:
        yield server


def configured(redis: RedisServer, name: str, settings: str = "", config: str = CONFIG) -> str:
    return f"""{config}
[extensions]
enabled = ["cluster"]
[extensions.settings.cluster]
redis = "{redis.url}"
name = "{name}"
{settings}
"""


@asynccontextmanager
async def nodes(
    tmp_path: Path, redis: RedisServer, *names: str, settings: str = "", config: str = CONFIG
) -> AsyncIterator[list[Exchange]]:
    """A gateway of each name, and phones for each."""
    async with AsyncExitStack() as stack:
        exchanges = []
        for name in names:
            text = configured(redis, name, settings, config)
            gateway = await stack.enter_async_context(open_test_gateway(tmp_path, text))
            exchanges.append(await stack.enter_async_context(open_exchange(gateway)))
        await eventually(lambda: all(redis.ask("hget", f"glottis:1:member:{name}", "capacity") > "0" for name in names))
        yield exchanges


def sessions_of(exchanges: list[Exchange]) -> list[int]:
    return [len(exchange.gateway.sessions) for exchange in exchanges]


async def test_a_call_comes_up_on_the_node_that_has_room(tmp_path: Path, redis: RedisServer) -> None:
    async with nodes(tmp_path, redis, "a", "b") as [a, b]:
        first, second = await a.call(), await a.call()
        assert sessions_of([a, b]) == [1, 1]
        assert b.gateway.sessions.find(second.session_id) is not None
        assert second.url.startswith(b.gateway.url.replace("http", "ws"))
        await first.hear()
        await second.hear()
