"""A page with ``@glottis/client`` whose only network goes down, and comes up with another address."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from support.command import open_program
from support.internet import open_internet
from support.networks import CALLER, KEY, caller_in_public, change_own_address, gateway_in_public, open_gateway

TESTS: Final = Path(__file__).parents[1]
BROWSERS: Final = ("chromium", "firefox")
AWAY: Final = 2.0
"""Seconds without any network."""
PAGE: Final = f"""
[campaigns.chatter]
agent = "{TESTS}/support/agents/chatter.py:chatter"

[pages]
enabled = ["client"]
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """Seconds from the new network to the first packet that the page hears, and to its first sound for the agent."""

    heard: float
    spoke: float
    told: dict[str, Any]
    """See ``moving_page``."""


async def move_page(browser: str, directory: Path, away: float = AWAY) -> Moved:
    """One call, during which it happens."""
    with open_internet() as internet:
        caller_in_public(internet)
        site = gateway_in_public(internet, config=PAGE)
        program = (*internet.command(CALLER), sys.executable, "-m", "support.moving_page", site.url, KEY, browser)
        async with (
            open_gateway(internet, site, directory),
            open_program(*program, env={"PYTHONPATH": str(TESTS)}) as page,
        ):
            await page.wait_for("talking")
            internet.ip(CALLER, "link set eth0 down")
            await trio.sleep(away)
            change_own_address(internet)
            internet.ip(CALLER, "link set eth0 up")
            there_at = time.time()
            assert await page.wait() == 0, page.errors
    told = json.loads(page.output)
    heard, spoke = (next(at for at in told[times] if at > there_at) - there_at for times in ("heardAt", "spokeAt"))
    return Moved(heard, spoke, told)
