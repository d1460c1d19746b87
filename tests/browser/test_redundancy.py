"""Redundant audio with Chromium, which offers it; over a path that loses every fifth datagram, each way."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.lossy import lossy_endpoint

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]

COUNTS = """(async () => {
    await new Promise((resolve) => setTimeout(resolve, 250)); // media goes first
    const stats = [...(await call.pc.getStats()).values()].find((one) => one.type === 'inbound-rtp');
    const told = call.messages.findLast((message) => message.name === 'statistics')?.data;
    return [stats?.packetsReceived ?? 0, stats?.packetsDiscarded ?? 0, told?.counters?.packetsRecovered ?? 0];
})()"""
"""At Chromium's end, which discards copies that it does not need; and at the gateway's."""
ENOUGH = 100


@pytest.mark.parametrize("policy", ["auto", "on", "off"])
async def test_red_goes_to_chromium_where_much_is_lost_and_comes_from_it_if_wished(
    tmp_path: Path, chromium: OpenPage, prepare_page: PreparePage, policy: str
) -> None:
    config = f'{CONFIG}\n[media]\nred = "{policy}"'
    with lossy_endpoint(Impairments(loss=0.2)) as endpoint, trio.fail_after(60):
        async with open_test_gateway(tmp_path, config, endpoint=endpoint) as gateway, chromium() as page:
            await prepare_page(page, gateway)
            await page.evaluate(
                """(async () => {
                    globalThis.call = await Call.create();
                    await call.speak();
                    await call.negotiate();
                    globalThis.audio = new Audio();
                    audio.muted = true;
                    audio.srcObject = call.streams[0];
                    await audio.play();
                })()"""
            )
            received, discarded, recovered = 0, 0, 0
            while (
                received < 8 * ENOUGH
                or (policy != "off" and discarded < ENOUGH)
                or (policy == "on" and recovered < ENOUGH)
            ):
                received, discarded, recovered = await page.evaluate(COUNTS)
            await gateway.stop(grace=0)
    assert (discarded >= ENOUGH) == (policy != "off")
    assert (recovered >= ENOUGH) == (policy == "on")
