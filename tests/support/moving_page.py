"""A page that calls, and whose machine comes to another network meanwhile: run in that machine's network namespace.

``python -m support.moving_page URL KEY chromium|firefox`` says ``talking`` on standard error once both hear each other.
When neither was heard for half a second, and then both are again, it ends with a line of JSON: at which times of the
system's clock the page heard more, and the agent heard the page again, and the states of the call.
"""

import json
import signal
import sys
import tempfile
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trio
from glottis_web import client_pages

from support.browser import Page
from support.chromium import BROWSER, open_chromium_page, run_chromium
from support.firefox import open_firefox_page, run_firefox
from support.phone import RATE, TONE

CALL = """
    const heardAt = [], spokeAt = [], states = [], peers = new Map();
    const pauses = () => heardAt.slice(1, -20).map((at, index) => at - heardAt[index]);
    async function dial(key) {
        const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        const microphone = await navigator.mediaDevices.getUserMedia({ audio: raw });
        const call = new Glottis.GlottisClient({ apiKey: key }).call({ campaign: "chatter", microphone });
        call.on("state", ({ state }) => states.push(state));
        call.on("event", ({ name, data }) => name === "heard" && spokeAt.push(data.at));
        await call.connect();
        setInterval(async () => {
            const { peer } = call;
            for (const each of (await peer.getStats()).values()) {
                if (each.type !== "inbound-rtp" || each.packetsReceived <= (peers.get(peer) ?? 0)) continue;
                peers.set(peer, each.packetsReceived);
                heardAt.push(Date.now() / 1000);
            }
        }, 20);
    }
"""


@asynccontextmanager
async def open_page(browser: str, url: str, profile: Path) -> AsyncIterator[Page]:
    """With a microphone, though the page comes without TLS."""
    if browser == "chromium":
        flags = (f"--unsafely-treat-insecure-origin-as-secure={url}", "--host-resolver-rules=")
        with run_chromium(profile, _tone(profile), *flags, program=BROWSER) as devtools:
            async with open_chromium_page(devtools) as page:
                yield page
    else:
        host = urlsplit(url).hostname
        with run_firefox(profile, preferences={"dom.securecontext.allowlist": host}) as bidi:
            async with open_firefox_page(bidi) as page:
                yield page


def _tone(directory: Path) -> Path:
    """What the microphone hears: speech has pauses."""
    path = directory / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(TONE)
    return path


async def main(url: str, key: str, browser: str) -> None:
    """See above."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        async with open_page(browser, url, Path(profile)) as page:
            await page.goto(f"{url}/client/index.js")
            await page.run_script("var Glottis;" + client_pages()["/client/glottis.js"].content.decode() + CALL)
            await page.evaluate(f"dial({json.dumps(key)})")
            await page.wait_for("heardAt.length > 20 && spokeAt.length")
            print("talking", file=sys.stderr, flush=True)
            await page.wait_for("pauses().some((seconds) => seconds > 0.5) && spokeAt.length > 1")
            print(await page.evaluate("JSON.stringify({ heardAt, spokeAt, states })"), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who is told to end takes the browser along
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
