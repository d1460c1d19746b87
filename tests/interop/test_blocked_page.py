"""The gateway's page where a firewall lets nothing pass but its HTTP port: it calls by the WebSocket, and says why."""

import json
import os
import sys
from pathlib import Path

import pytest
from support.command import open_program
from support.internet import open_internet
from support.networks import CALLER, CALLERS_ROUTER, KEY, ONLY_HTTPS, caller_behind, gateway_in_public, open_gateway
from support.page_clock import LIMIT_MS

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]
PAGE = """
[pages]
enabled = ["demo", "client"]
"""


async def test_a_page_whose_udp_is_blocked_says_so_in_time_and_calls_by_the_websocket(tmp_path: Path) -> None:
    with open_internet() as internet:
        caller_behind(internet, "symmetric")
        site = gateway_in_public(internet, config=PAGE)
        internet.load(CALLERS_ROUTER, ONLY_HTTPS)
        program = (*internet.command(CALLER), sys.executable, "-m", "support.blocked_page", site.url, KEY)
        async with (
            open_gateway(internet, site, tmp_path),
            open_program(*program, env={"PYTHONPATH": str(Path(__file__).parents[1])}) as page,
        ):
            assert await page.wait() == 0, page.errors
    told = json.loads(page.output)
    print(f"told after {told['milliseconds']:.0f} ms, and called by {told['way']}")
    assert told["milliseconds"] <= LIMIT_MS
    assert "UDP is probably blocked on the way. Open the gateway's UDP ports" in told["words"]
    assert "websocket" in told["way"]
