"""Frames of 10 ms with Chromium, which is asked for packets as long, and an agent in a process of its own."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio
from glottis.server.gateway import Gateway
from support.audio import SPEECH, read_wav, similarity
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.recording import decode_recording

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]

SHORT = """
[campaigns.short]
agent = "echo"
frame_ms = 10
isolation = "process"
"""
CALL = """(async () => {
    globalThis.call = await Call.create('short');
    await call.speak();
    await call.negotiate();
})()"""
COUNTS = """(async () => {
    await new Promise((resolve) => setTimeout(resolve, 250)); // media goes first
    const heard = [...(await call.pc.getStats()).values()].find((one) => one.type === 'inbound-rtp');
    const told = call.messages.findLast((message) => message.name === 'statistics')?.data['inbound-rtp'];
    return [heard, told].map((one) => [one?.packetsReceived ?? 0, one?.jitterBufferEmittedCount ?? 0]);
})()"""
"""Packets, and samples that were played of them: at Chromium's end at 48 kHz, and at the gateway's at 16 kHz."""
ENOUGH = 200


async def is_heard(page: Page) -> bool:
    """Whether what comes back is the speech, as far as the recorder's own codec leaves it."""
    heard = decode_recording(await page.evaluate("record(call.streams[0], 2)"), 16000)
    return similarity(heard, *read_wav(SPEECH)) > 0.7


async def test_speech_goes_to_a_process_and_back_in_packets_of_10_ms(
    tmp_path: Path, chromium: OpenPage, prepare_page: PreparePage
) -> None:
    config = CONFIG + SHORT
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_test_gateway(tmp_path, config) as gateway, chromium() as page:
            await eventually(lambda: gateway.workers.ready > 0, PROCESS_PATIENCE)
            await prepare_page(page, gateway)
            await page.evaluate(CALL)
            while not await is_heard(page):  # a busy machine stutters, which passes
                pass
            counts = [[0, 0]]
            while min(packets for packets, _ in counts) < ENOUGH:
                counts = await page.evaluate(COUNTS)
            assert await page.evaluate("call.errors") == []
            await gateway.stop(grace=0)
    for (packets, samples), rate in zip(counts, (48000, 16000), strict=True):
        assert samples < 0.015 * rate * packets, counts
