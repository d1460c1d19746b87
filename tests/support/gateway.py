"""A real gateway on loopback, in the test's own event loop."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from glottis.config import load_config, resolve
from glottis.plugins import load_plugins
from glottis.server.gateway import Gateway, open_gateway

CONFIG = """
[server]
port = 0
allowed_origins = ["http://127.0.0.1:*"]
max_sessions_per_minute = 100000

[auth]
scheme = "anonymous"

[campaigns.echo]
agent = "echo"

[campaigns.campaign-abc]
agent = "echo"

[campaigns.talker]
agent = "talker"
"""


@asynccontextmanager
async def open_test_gateway(
    directory: Path, config: str = CONFIG, plugins: Iterable[object] = ()
) -> AsyncIterator[Gateway]:
    """Serve ``config`` on a free port, with the installed plugins and those given."""
    path = directory / "gateway.toml"
    path.write_text(config)
    async with open_gateway(resolve(load_config(path, {}), load_plugins(extra=plugins))) as gateway:
        yield gateway
