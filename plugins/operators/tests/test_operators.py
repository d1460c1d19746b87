"""What operators are told of real calls, and who is."""

from pathlib import Path
from typing import Any

import pytest
import trio.testing
from glottis import ConfigurationError, RouteRequest, Secret
from glottis_operators import DESK, RouteConfig
from glottis_operators.desk import OperatorsDesk
from glottis_operators.routes import routes
from support.gateway import CONFIG
from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import Exchange, eventually

TOKEN = "a token of sixteen"
ENABLED = (
    CONFIG
    + """
[extensions]
enabled = ["operators"]
[routes]
enabled = ["operators"]
"""
)
CONFIGURED = f'{ENABLED}\n[routes.settings.operators]\ntoken = "{TOKEN}"\n'


async def ask(exchange: Exchange, path: str, method: str = "GET", token: str = TOKEN) -> Reply:
    return await request(
        exchange.gateway,
        method,
        f"/api/plugins/operators/{path}",
        connect=exchange.network.connect,
        authorization=f"Bearer {token}" if token else "none",
    )


async def overview(exchange: Exchange) -> dict[str, Any]:
    await trio.sleep(1.1)  # virtual: an answer is given again for a second
    [worker] = (await ask(exchange, "overview")).document["workers"]
    found: dict[str, Any] = worker
    return found


@pytest.mark.slow
async def test_a_call_is_told_from_its_creation_to_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    config = CONFIGURED + '[extensions.settings.operators]\nmetadata = ["region"]\n'
    async with open_memory_exchange(tmp_path, config) as exchange:
        phone = exchange.phone()
        await phone.connect(clientIdentifier="Ada", metadata={"region": "eu", "password": "hunter2"})
        await eventually(lambda: len(phone.socket.events("statistics")) >= 1)
        during = await overview(exchange)
        [row] = during["calls"]
        assert (row["id"], row["campaign"], row["client"], row["state"]) == (phone.session_id, "echo", "Ada", "active")
        assert (row["lossReceived"], row["path"]) == (0, "host – host, udp")
        assert row["mos"] > 4.3
        assert during["sessions"] == [["echo", "active", 1]]
        assert (during["createdInAMinute"], during["refusals"]) == (1, {})

        reply = await ask(exchange, f"calls/{phone.session_id}")
        assert b"hunter2" not in reply.body
        page = reply.document
        assert page["metadata"] == {"region": "eu"}
        names = [name for _, name, _ in page["events"]]
        assert names[:2] == ["state connecting", "answered"]
        assert {"path found", "connection connected", "state active", "media"} <= set(names)
        latest = dict(zip(page["names"], page["samples"][-1], strict=True))
        assert 60_000 < latest["bitrateReceived"] < 68_000
        assert 0 < latest["bufferTarget"] <= latest["bufferDelay"] < 0.2
        await trio.sleep(1)
        again = (await ask(exchange, f"calls/{phone.session_id}?since={page['now']}")).document
        assert len(again["samples"]) == 1, "who looks sees more than one sample each five seconds"
        assert again["events"] == []
        trace = await ask(exchange, f"calls/{phone.session_id}/trace")
        assert f"session {phone.session_id}, campaign echo, active" in trace.body.decode()
        statistics = (await ask(exchange, f"calls/{phone.session_id}/stats")).document
        assert statistics["inbound-rtp"]["packetsReceived"] > 100

        assert (await ask(exchange, f"calls/{phone.session_id}/end", "POST")).status == 204
        assert await phone.wait_closed() == (1000, "an operator has ended the call")
        assert (await exchange.post("nobody's")).status == 404
        after = await overview(exchange)
        assert after["refusals"] == {"UNKNOWN_CAMPAIGN": 1}
        assert (after["calls"], after["sessions"]) == ([], [])
        [ended] = after["ended"]
        assert (ended["id"], ended["state"]) == (phone.session_id, "ended")
        assert ended["reason"] == "an operator has ended the call"
        assert (await ask(exchange, f"calls/{phone.session_id}/end", "POST")).status == 404
        assert (await ask(exchange, f"calls/{phone.session_id}")).document["state"] == "ended"
        assert (await ask(exchange, "calls/nobody")).status == 404
    assert DESK.info is None, "nothing of the gateway is kept when it has stopped"


async def test_without_the_token_nothing_is_told_and_nothing_ends() -> None:
    for route in routes(OperatorsDesk(), RouteConfig(token=Secret(TOKEN))):
        assert route.access == "public"
        for authorization in ("", "Bearer", f"Basic {TOKEN}", "Bearer wrong token altogether", "Bearer \udcff"):
            asked = RouteRequest(
                route.method, route.path, {"session_id": "s"}, headers={"authorization": authorization}
            )
            assert (await route.handle(asked)).status == 401
    assert {route.access for route in routes(OperatorsDesk(), RouteConfig())} == {"operator"}


async def test_a_gateway_whose_page_nobody_may_see_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^routes\.settings\.operators\.token: expected one, or principals"):
        async with open_memory_exchange(tmp_path, ENABLED):
            pass
    with pytest.raises(ConfigurationError, match="at least 16 characters"):
        RouteConfig(token=Secret("short"))


async def test_operators_need_no_token(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    config = ENABLED.replace("[auth]", '[auth]\noperators = ["anonymous"]')
    async with open_memory_exchange(tmp_path, config) as exchange:
        assert (await ask(exchange, "overview", token="")).status == 200
