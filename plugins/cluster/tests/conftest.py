"""A Redis for each test, and what its connections leave behind."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.redis import RedisServer, open_redis


@pytest.fixture(autouse=True)
def collect_garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """While the warnings of what coredis leaves open are ignored."""
    yield
    if request.node.get_closest_marker("realtime"):
        gc.collect()


@pytest.fixture(autouse=True)
def hear_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "glottis_cluster")


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with open_redis(tmp_path) as server:
        yield server
