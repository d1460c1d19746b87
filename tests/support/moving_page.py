"""A page that calls, and whose machine comes to another network meanwhile: run in that machine's network namespace.

``python -m support.moving_page URL KEY`` says ``talking`` on standard error once the agent is heard. When the agent was
not heard for a second, and then is again, it ends with a line of JSON: at which times of the system's clock more was
heard, and the states of the call.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path

import trio
from glottis_web import client_pages

from support.audio import SPEECH
from support.chromium import open_chromium_page, run_chromium

CALL = """
    const heardAt = [], states = [], peers = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) { super(configuration); peers.push(this); }
    };
    const pauses = () => heardAt.slice(1, -20).map((at, index) => at - heardAt[index]);
    async function dial(key) {
        const call = new Glottis.GlottisClient({ apiKey: key }).call({ campaign: "chatter" });
        call.on("state", ({ state }) => states.push(state));
        await call.connect();
        let before = 0;
        setInterval(async () => {
            for (const each of (await peers[0].getStats()).values()) {
                if (each.type !== "inbound-rtp" || each.packetsReceived === before) continue;
                before = each.packetsReceived;
                heardAt.push(Date.now() / 1000);
            }
        }, 20);
    }
"""


async def main(*arguments: str) -> None:
    """See above."""
    url, key = arguments
    flags = (f"--unsafely-treat-insecure-origin-as-secure={url}", "--host-resolver-rules=")
    with tempfile.TemporaryDirectory() as profile, run_chromium(Path(profile), SPEECH, *flags) as devtools:
        async with open_chromium_page(devtools) as page:
            await page.goto(f"{url}/client/index.js")
            await page.run_script("var Glottis;" + client_pages()["/client/glottis.js"].content.decode() + CALL)
            await page.evaluate(f"dial({json.dumps(key)})")
            await page.wait_for("heardAt.length > 20")
            print("talking", file=sys.stderr, flush=True)
            await page.wait_for("pauses().some((seconds) => seconds > 1)")
            print(await page.evaluate("JSON.stringify({ heardAt, states, peers: peers.length })"), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who is told to end takes the browser along
    trio.run(main, *sys.argv[1:])
