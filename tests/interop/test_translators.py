"""A gateway behind real translators of addresses, and coturn as its STUN server."""

import hashlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.command import Command, open_command
from support.namespaces import (
    HTTP_PORT,
    INSIDE,
    ROUTER,
    STUN_SERVER,
    UDP_PORT,
    Namespaces,
    network_with_translator,
    open_stun_server,
)

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

KEY = "correct-horse-battery"
CONFIG = f"""
[server]
host = "0.0.0.0"
port = {HTTP_PORT}
public_url = "http://{ROUTER}:{HTTP_PORT}"

[auth]
scheme = "api-keys"
settings = {{ keys = {{ caller = "{hashlib.sha256(KEY.encode()).hexdigest()}" }} }}

[campaigns.talker]
agent = "talker"

[media]
addresses = ["{INSIDE}"]
udp_port = {UDP_PORT}
"""
STUN = f"""
[[ice_servers.settings.static.servers]]
urls = ["stun:{STUN_SERVER}", "stun:203.0.113.66"]
"""


@asynccontextmanager
async def open_gateway_inside(spaces: Namespaces, directory: Path, config: str) -> AsyncIterator[Command]:
    path = directory / "gateway.toml"
    path.write_text(CONFIG + config)
    prefix = spaces.command(spaces.inside)
    async with open_command("serve", "--config", path, prefix=prefix) as gateway:
        await gateway.wait_for("serves http")
        yield gateway
        gateway.process.send_signal(signal.SIGINT)
        await gateway.wait()


async def call_from_outside(spaces: Namespaces) -> Command:
    url = f"http://{ROUTER}:{HTTP_PORT}"
    env = {"GLOTTIS_API_KEY": KEY}
    prefix = spaces.command(spaces.outside)
    async with open_command("call", url, "--campaign", "talker", env=env, prefix=prefix) as call:
        await call.wait()
    return call


def heard(call: Command) -> int:
    """Packets of audio."""
    found = re.search(r"received (\d+)", call.output)
    return int(found[1]) if found else 0


async def test_a_one_to_one_translator_is_passed_by_an_advertised_address(tmp_path: Path) -> None:
    advertised = f'advertised_addresses = ["{ROUTER}"]\nadvertise_bound_addresses = false\n'
    with network_with_translator(forwards_udp=True) as spaces:
        async with open_gateway_inside(spaces, tmp_path, advertised):
            call = await call_from_outside(spaces)
    assert heard(call) > 0, call.errors + call.output


async def test_a_translator_that_lets_nobody_in_is_passed_by_what_a_stun_server_says(tmp_path: Path) -> None:
    with network_with_translator(forwards_udp=False) as spaces:
        async with (
            open_stun_server(spaces, tmp_path),
            open_gateway_inside(spaces, tmp_path, STUN) as gateway,
        ):
            await gateway.wait_for(f"{INSIDE} is {ROUTER}:{UDP_PORT} for others, says STUN server {STUN_SERVER}:3478")
            call = await call_from_outside(spaces)
    assert heard(call) > 0, call.errors + call.output
