"""A page with ``@glottis/client`` whose only network goes down, and comes up with another address."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
import trio
from support.command import open_program
from support.internet import open_internet
from support.networks import CALLER, KEY, caller_in_public, change_own_address, gateway_in_public, open_gateway

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]
AGENTS = Path(__file__).parents[1] / "support" / "agents"
PAGE = f"""
[campaigns.chatter]
agent = "{AGENTS}/chatter.py:chatter"

[pages]
enabled = ["client"]
"""
AWAY = 2.0
"""Seconds without any network."""


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_a_page_that_loses_its_network_talks_on_by_another(browser: str, tmp_path: Path) -> None:
    with open_internet() as internet:
        caller_in_public(internet)
        site = gateway_in_public(internet, config=PAGE)
        program = (*internet.command(CALLER), sys.executable, "-m", "support.moving_page", site.url, KEY, browser)
        async with (
            open_gateway(internet, site, tmp_path),
            open_program(*program, env={"PYTHONPATH": str(Path(__file__).parents[1])}) as page,
        ):
            await page.wait_for("talking")
            internet.ip(CALLER, "link set eth0 down")
            await trio.sleep(AWAY)
            change_own_address(internet)
            internet.ip(CALLER, "link set eth0 up")
            there_at = time.time()
            assert await page.wait() == 0, page.errors
    told = json.loads(page.output)
    heard, spoke = (next(at for at in told[times] if at > there_at) - there_at for times in ("heardAt", "spokeAt"))
    print(f"the page hears {heard:.2f} s after the new network is there, and is heard after {spoke:.2f} s")
    assert told["states"][-2:] == ["reconnecting", "active"]
    assert told["peers"] == 1
