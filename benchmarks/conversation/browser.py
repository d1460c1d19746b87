"""How soon an assistant answers who calls by Chromium: measured in the page, behind the browser's own jitter buffer.

The page plays the requests in place of a microphone, so its clock knows when the last word was said. Loudspeaker and
microphone of a real caller add their own 20 to 60 ms.
"""

import base64
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio
from glottis import AudioFrame
from glottis.audio import write_wav
from glottis_web import client_pages
from support.browser import Page
from support.chromium import open_chromium_page, run_chromium

from benchmarks.conversation.latency import Measured
from benchmarks.conversation.voices import RATE

CALLER: Final = Path(__file__).with_name("caller.js")


async def measure(url: str, requests: Sequence[bytes], interruptions: Sequence[bytes], calls: int) -> Measured:
    """``calls`` pages at a time, each of which says all ``requests``, and interrupts the answer to the last."""
    measured = Measured()
    with tempfile.TemporaryDirectory() as profile, run_chromium(Path(profile), None) as devtools:
        async with trio.open_nursery() as nursery:
            for number in range(calls):
                nursery.start_soon(_call, devtools, url, requests, interruptions, measured, 0.7 * number)
    return measured


async def _call(
    devtools: str, url: str, requests: Sequence[bytes], interruptions: Sequence[bytes], measured: Measured, delay: float
) -> None:
    await trio.sleep(delay)
    async with open_chromium_page(devtools) as page:
        await page.command("Page.setBypassCSP", enabled=True)  # the page of a file allows no worklets
        await page.goto(f"{url}/client/index.js")
        client = client_pages()["/client/glottis.js"].content.decode()
        await page.run_script(f"var Glottis;{client}\n{CALLER.read_text()}\nvar caller = new Caller();")
        await page.evaluate("caller.connect()")
        for pcm in requests:
            answered = await _told(page, "ask", pcm, pcm is not requests[-1])
            if answered is None:
                measured.unanswered += 1
            else:
                measured.answers.append(answered / 1000)
        for pcm in interruptions:
            if (silent := await _told(page, "interrupt", pcm)) is not None:
                measured.interruptions.append(silent / 1000)


async def _told(page: Page, method: str, pcm: bytes, *others: object) -> float | None:
    """What a method of the page's caller tells of this recording."""
    file = io.BytesIO()
    write_wav(file, AudioFrame(pcm, RATE))
    arguments = ", ".join(map(json.dumps, (base64.b64encode(file.getvalue()).decode(), *others)))
    milliseconds: float | None = await page.evaluate(f"caller.{method}({arguments})")
    return milliseconds
