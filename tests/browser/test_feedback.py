"""RTCP feedback and header extensions with Chromium, over a path that loses every twentieth datagram, each way."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import trio
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.lossy import lossy_endpoint
from support.patience import PROCESS_PATIENCE

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]

COUNTS = """(async () => {
    await new Promise((resolve) => setTimeout(resolve, 250)); // media goes first
    const stats = [...(await call.pc.getStats()).values()];
    const of = (type) => stats.find((one) => one.type === type && (type !== 'candidate-pair' || one.nominated)) ?? {};
    const told = call.messages.findLast((message) => message.name === 'statistics')?.data ?? {};
    const [source] = call.pc.getReceivers()[0].getSynchronizationSources();
    return {
        inbound: of('inbound-rtp'), outbound: of('outbound-rtp'), pair: of('candidate-pair'),
        level: source?.audioLevel ?? 0, told, errors: call.errors,
    };
})()"""


def has_all(counts: dict[str, Any]) -> bool:
    """At Chromium's end, and at the gateway's."""
    inbound, outbound, told = counts["inbound"], counts["outbound"], counts["told"]
    return bool(
        inbound.get("nackCount")
        and outbound.get("retransmittedPacketsSent")
        and counts["level"] > 0
        and counts["pair"].get("availableOutgoingBitrate")
        and told.get("inbound-rtp", {}).get("nackCount")
        and told.get("inbound-rtp", {}).get("audioLevel")
        and told.get("outbound-rtp", {}).get("retransmittedPacketsSent")
        and told.get("candidate-pair", {}).get("availableOutgoingBitrate")
    )


async def test_chromium_and_the_gateway_ask_each_other_for_lost_packets_and_tell_levels_and_arrivals(
    tmp_path: Path, chromium: OpenPage, prepare_page: PreparePage
) -> None:
    with lossy_endpoint(Impairments(loss=0.05)) as endpoint, trio.fail_after(PROCESS_PATIENCE):
        async with open_test_gateway(tmp_path, CONFIG, endpoint=endpoint) as gateway, chromium() as page:
            await prepare_page(page, gateway)
            await page.evaluate(
                r"""(async () => {
                    globalThis.call = await Call.create();
                    await call.speak();
                    await call.negotiate((sdp) => sdp.replace(/(a=rtcp-fb:111 )transport-cc/, '$&\r\n$1nack'));
                    globalThis.audio = new Audio();
                    audio.muted = true;
                    audio.srcObject = call.streams[0];
                    await audio.play();
                })()"""
            )
            counts: dict[str, Any] = {}
            while not counts or not has_all(counts):
                counts = await page.evaluate(COUNTS)
            await gateway.stop(grace=0)
    assert counts["errors"] == []
    assert "packetsMalformed" not in counts["told"].get("counters", {})
    assert counts["told"]["outbound-rtp"]["targetBitrate"] >= 24_000
