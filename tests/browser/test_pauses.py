"""Pauses of G.711 with Chromium, which offers comfort noise (RFC 3389): told both ways, and speech comes after them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio
from glottis.server.gateway import Gateway
from support.audio import SPEECH, read_wav, similarity
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.recording import decode_recording

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]

NARROW = f'{CONFIG}\n[media]\ncodecs = ["PCMU"]\n[media.encoder]\ndtx = true'
BOTH_WAYS = """(() => {
    const told = call.messages.findLast(({ name }) => name === 'statistics')?.data?.counters ?? {};
    return told.comfortNoiseReceived >= 3 && told.comfortNoiseSent >= 3;
})()"""


async def test_pauses_are_comfort_noise_both_ways_and_speech_follows_them(
    tmp_path: Path, chromium: OpenPage, prepare_page: PreparePage
) -> None:
    played, rate = read_wav(SPEECH)
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_test_gateway(tmp_path, NARROW) as gateway, chromium() as page:
            await prepare_page(page, gateway)
            await page.evaluate(
                """(async () => {
                    globalThis.call = await Call.create();
                    globalThis.sender = await call.speak();
                    sender.track.enabled = false;
                    await call.negotiate();
                })()"""
            )
            await page.wait_for(BOTH_WAYS)
            await page.evaluate("sender.track.enabled = true")
            likeness = 0.0
            while likeness <= 0.5:  # a busy machine stutters, which passes
                recording = await page.evaluate("record(call.streams[0], 2.5)")
                likeness = similarity(decode_recording(recording, rate), played, rate)
            await gateway.stop(grace=0)
