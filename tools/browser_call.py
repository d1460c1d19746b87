"""A call of this machine's Chromium to a gateway in a root, by the scripts that the tests drive browsers with."""

import tempfile
import time
from pathlib import Path
from typing import Final

import trio
from support.audio import SPEECH, read_wav, similarity
from support.browser import Page
from support.chromium import open_chromium_page, run_chromium
from support.recording import decode_recording

from tools.roots import REPOSITORY

CALLER: Final = REPOSITORY / "tests" / "browser" / "call.js"
LIKENESS: Final = 0.7
"""Of what the tests call speech that was understood."""
ATTEMPTS: Final = 10
PATIENCE: Final = 180.0


def call_by_browser(url: str) -> dict[str, object]:
    """How soon it was connected, and how like the speech of its microphone the echo is that it heard."""
    with tempfile.TemporaryDirectory() as directory, run_chromium(Path(directory), SPEECH) as devtools_url:
        return trio.run(_call, url, devtools_url)


async def _call(url: str, devtools_url: str) -> dict[str, object]:
    with trio.fail_after(PATIENCE):
        async with open_chromium_page(devtools_url) as page:
            await page.goto(f"{url}/healthz")
            await page.run_script(CALLER.read_text())
            began = time.monotonic()
            await page.evaluate(
                """(async () => {
                    globalThis.call = await Call.create('echo');
                    await call.speak();
                    await call.negotiate();
                })()"""
            )
            await page.wait_for("call.pc.connectionState === 'connected'", PATIENCE)
            connected = time.monotonic() - began
            likeness = await _hear(page)
            errors = await page.evaluate("call.errors")
            assert not errors, errors
            return {"browser_connected_s": round(connected, 2), "browser_likeness": round(likeness, 2)}


async def _hear(page: Page) -> float:
    """The first of some recordings that is like the speech: a busy machine stutters, which passes."""
    played, rate = read_wav(SPEECH)
    found = 0.0
    for _ in range(ATTEMPTS):
        found = similarity(decode_recording(await page.evaluate("record(call.streams[0], 3)"), rate), played, rate)
        if found > LIKENESS:
            break
    assert found > LIKENESS, f"Chromium has heard no echo of its speech: {found:.2f}"
    return found
