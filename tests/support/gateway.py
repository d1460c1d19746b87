"""A real gateway on loopback, in the test's own event loop."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from glottis.config import ResolvedConfig, load_config, resolve
from glottis.plugins import load_beside
from glottis.server.gateway import Gateway, open_gateway

from support.installed import installed_plugins

CONFIG = """
[server]
port = 0
allowed_origins = ["http://127.0.0.1:*"]
max_sessions_per_minute = 100000
max_load = 1

[auth]
scheme = "anonymous"

[campaigns.echo]
agent = "echo"

[campaigns.campaign-abc]
agent = "echo"

[campaigns.talker]
agent = "talker"
"""


def gateway_at(url: str) -> Gateway:
    """As much of one elsewhere as phones need."""
    return cast(Gateway, SimpleNamespace(url=url))


@asynccontextmanager
async def open_test_gateway(
    directory: Path, config: str = CONFIG, plugins: Iterable[object] = (), **parts: Any
) -> AsyncIterator[Gateway]:
    """Serve ``config`` on a free port, with the installed plugins and those given; ``parts`` are ``open_gateway``'s."""
    async with open_gateway(resolve_test_config(directory, config, plugins), **parts) as gateway:
        yield gateway


def resolve_test_config(directory: Path, config: str = CONFIG, plugins: Iterable[object] = ()) -> ResolvedConfig:
    """The same without the gateway."""
    path = directory / "gateway.toml"
    path.write_text(config)
    return resolve(load_config(path, {}), load_beside(installed_plugins(), plugins))
