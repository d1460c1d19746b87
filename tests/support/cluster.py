"""Nodes of a cluster: gateways in the test's own event loop, or in processes of their own, that share a Redis."""

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import trio
from glottis.server.gateway import Gateway

from support.command import Command, open_command
from support.gateway import CONFIG, open_test_gateway
from support.http import Reply, request
from support.lean import lean
from support.patience import PATIENCE
from support.phone import Exchange, Phone, eventually, open_exchange
from support.redis import RedisServer

OPERATED: Final = CONFIG.replace('scheme = "anonymous"', 'scheme = "anonymous"\noperators = ["anonymous"]')
LEASE: Final = 0.8
"""Seconds, for tests that wait for one to run out."""


def configured(redis: RedisServer, name: str, settings: str = "", config: str = OPERATED) -> str:
    return f"""{config}
[extensions]
enabled = ["cluster"]
[routes]
enabled = ["cluster"]
[extensions.settings.cluster]
redis = "{redis.url}"
name = "{name}"
{settings}
"""


@asynccontextmanager
async def nodes(
    tmp_path: Path, redis: RedisServer, *names: str, settings: str = "", config: str = OPERATED
) -> AsyncIterator[list[Exchange]]:
    """A gateway of each name, and phones for each."""
    async with AsyncExitStack() as stack:
        exchanges = [
            await stack.enter_async_context(node(tmp_path, configured(redis, name, settings, config))) for name in names
        ]
        await eventually(lambda: all(is_known(redis, name) for name in names))
        yield exchanges


@asynccontextmanager
async def node(tmp_path: Path, config: str) -> AsyncIterator[Exchange]:
    async with open_test_gateway(tmp_path, config) as gateway, open_exchange(gateway) as exchange:
        yield exchange


@asynccontextmanager
async def node_process(
    tmp_path: Path, config: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Exchange, Command]]:
    """The same in a process of its own."""
    path = tmp_path / "process.toml"
    path.write_text(config)
    async with open_command("serve", "--config", path, env={**lean(config), **(env or {})}) as command:
        serving = await command.wait_for(r"glottis serves (http://\S+) with")
        gateway = cast(Gateway, Served(serving[1]))
        async with open_exchange(gateway) as exchange:
            yield exchange, command
        if command.process.returncode is None:
            command.process.send_signal(signal.SIGINT)


class Balancer:
    """What stands before nodes, and knows nothing of sessions: new connections go to the node of ``port``."""

    def __init__(self) -> None:
        self.port = 0
        self.url = ""
        self._open: list[trio.SocketStream] = []

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    def point_at(self, exchange: Exchange) -> None:
        """From now on."""
        self.port = urlsplit(exchange.gateway.url).port or 0

    async def cut(self) -> None:
        """All connections that there are."""
        for stream in self._open:
            await trio.aclose_forcefully(stream)

    async def _serve(self, near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", self.port)
        self._open += [near, far]
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on, near, far)
            nursery.start_soon(self._pass_on, far, near)

    async def _pass_on(self, source: trio.SocketStream, target: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await target.send_all(data)
            await target.send_eof()


class Served:
    """As much of a gateway as there is of one in another process."""

    def __init__(self, url: str) -> None:
        self.url = url


def is_known(redis: RedisServer, name: str) -> bool:
    """And takes sessions."""
    capacity, unavailable = redis.ask("hmget", f"glottis:1:member:{name}", "capacity", "unavailable").split("\n")
    return int(capacity or 0) > 0 and not unavailable


def sessions_of(exchanges: list[Exchange]) -> list[int]:
    return [len(exchange.gateway.sessions) for exchange in exchanges]


def is_at(exchange: Exchange, phone: Phone) -> bool:
    """Whether its session is on this node."""
    return phone.url.startswith(exchange.gateway.url.replace("http", "ws"))


def at(here: Exchange, there: Exchange, url: str) -> str:
    """The URL of the one node, at the other."""
    return url.replace(there.gateway.url.partition(":")[2], here.gateway.url.partition(":")[2])


async def told(exchange: Exchange, path: str) -> Reply:
    return await request(exchange.gateway, "GET", f"/api/plugins/cluster/{path}")


async def end_of(exchange: Exchange, phone: Phone) -> dict[str, Any]:
    """What is known of a session that has ended, once it is."""
    with trio.fail_after(PATIENCE):
        while (document := (await told(exchange, f"sessions/{phone.session_id}")).document).get("state") != "ended":  # noqa: ASYNC110
            await trio.sleep(0.02)
    return document
