"""Browsers that use nothing but a TURN server, to a gateway that does so, too, or not: the server is coturn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from support.browser import Page
from support.coturn import PASSWORD, USERNAME, Coturn, open_coturn
from support.gateway import CONFIG, open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import webrtc_leg

SERVER = """
[media]
ice_policy = "{policy}"

[[ice_servers.settings.static.servers]]
urls = ["{url}"]
username = "{username}"
credential = "{password}"
"""
SELECTED = """(async () => {
    const stats = await call.pc.getStats();
    const { selectedCandidatePairId } = [...stats.values()].find(({ type }) => type === 'transport') ?? {};
    const pair = stats.get(selectedCandidatePairId)
        ?? [...stats.values()].find(({ type, selected }) => type === 'candidate-pair' && selected);
    return [pair.localCandidateId, pair.remoteCandidateId].map((id) => stats.get(id).candidateType);
})()"""


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[Coturn]:
    async with open_coturn(tmp_path) as coturn:
        yield coturn


@pytest.fixture(params=["relay", "all"])
async def gateway(tmp_path: Path, coturn: Coturn, request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    server = SERVER.format(policy=request.param, url=coturn.url("udp"), username=USERNAME, password=PASSWORD)
    async with open_test_gateway(tmp_path, CONFIG + server) as gateway:
        yield gateway
        await gateway.stop(grace=0)


async def test_browser_of_relays_alone_is_heard(page: Page, gateway: Gateway, request: pytest.FixtureRequest) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create('echo', 'relay');
                await call.speak();
                globalThis.chat = call.open('chat');
                await call.negotiate();
                await chat.next();
            })()"""
        )
        assert await page.evaluate("!call.candidates.some((one) => one && !one.includes('typ relay'))")
        assert await page.evaluate("energy(0.7)") > 0
        assert await page.evaluate("chat.echoes('by the relay')")
        assert (await page.evaluate(SELECTED))[0] == "relay"
        assert await page.evaluate("call.errors") == []
        (session,) = gateway.sessions
        pair = webrtc_leg(session).peer.transport.ice.selected_pair
        assert pair is not None
        assert pair.local.type == ("relay" if request.node.callspec.params["gateway"] == "relay" else "host")
