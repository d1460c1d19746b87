"""Redundant audio with Chromium, which offers it; over a path that loses every fifth datagram, each way."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.lossy import lossy_endpoint
from support.patience import PROCESS_PATIENCE

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]

CALL = """(async () => {
    globalThis.call = await Call.create();
    await call.speak();
    await call.negotiate();
    globalThis.audio = new Audio();
    audio.muted = true;
    audio.srcObject = call.streams[0];
    await audio.play();
})()"""
COUNTS = """(async () => {
    await new Promise((resolve) => setTimeout(resolve, 250)); // media goes first
    const stats = [...(await call.pc.getStats()).values()].find((one) => one.type === 'inbound-rtp');
    const told = call.messages.findLast((message) => message.name === 'statistics')?.data;
    return [stats?.packetsReceived ?? 0, stats?.packetsDiscarded ?? 0, told?.counters?.packetsRecovered ?? 0];
})()"""
"""At Chromium's end, which discards copies that it does not need; and at the gateway's."""
ENOUGH = 25


def is_told(policy: str, received: int, discarded: int, recovered: int) -> bool:
    """Whether all that the policy lets happen has happened often enough, and what it does not might have."""
    return (
        received >= 8 * ENOUGH and (policy == "off" or discarded >= ENOUGH) and (policy != "on" or recovered >= ENOUGH)
    )


async def test_red_goes_to_chromium_where_much_is_lost_and_comes_from_it_if_wished(
    tmp_path: Path, chromium: OpenPage, prepare_page: PreparePage
) -> None:
    """Three gateways with a caller each, side by side: it takes hundreds of packets to tell."""

    async def call(policy: str) -> None:
        directory = tmp_path / policy
        directory.mkdir()
        config = f'{CONFIG}\n[media]\nred = "{policy}"'
        with lossy_endpoint(Impairments(loss=0.2)) as endpoint:
            async with open_test_gateway(directory, config, endpoint=endpoint) as gateway, chromium() as page:
                await prepare_page(page, gateway)
                await page.evaluate(CALL)
                counted = (0, 0, 0)
                while not is_told(policy, *counted):
                    counted = await page.evaluate(COUNTS)
                await gateway.stop(grace=0)
        _, discarded, recovered = counted
        assert (discarded >= ENOUGH) == (policy != "off"), policy
        assert (recovered >= ENOUGH) == (policy == "on"), policy

    with trio.fail_after(PROCESS_PATIENCE):
        async with trio.open_nursery() as nursery:
            for policy in ("auto", "on", "off"):
                nursery.start_soon(call, policy)
