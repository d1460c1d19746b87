"""The page of a gateway to which no UDP comes through: run in the caller's network namespace.

``python -m support.blocked_page URL KEY`` presses the button, and ends with a line of JSON once the agent is heard:
after how many milliseconds the page had said that UDP is blocked, in which words, and by which way the call goes.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path

import trio

from support.audio import SPEECH
from support.chromium import BROWSER, open_chromium_page, run_chromium
from support.page_clock import press_and_read

CALL = "document.getElementById('call')"
KEY = "document.getElementById('api-key')"
LEVEL = "Number(document.getElementById('level-in').getAttribute('aria-valuenow'))"
WAY = "document.getElementById('stat-codec').textContent"


async def main(*arguments: str) -> None:
    """See above."""
    url, key = arguments
    flags = (f"--unsafely-treat-insecure-origin-as-secure={url}", "--host-resolver-rules=")
    with (
        tempfile.TemporaryDirectory() as profile,
        run_chromium(Path(profile), SPEECH, *flags, program=BROWSER) as devtools,
    ):
        async with open_chromium_page(devtools) as page:
            await page.goto(f"{url}/")
            await page.wait_for(f"!{CALL}.disabled")
            await page.evaluate(f"({KEY}.value = {json.dumps(key)}, {KEY}.dispatchEvent(new Event('change')))")
            await page.wait_for("document.getElementById('campaign').value")
            milliseconds, words = await press_and_read(page, "UDP is probably blocked")
            await page.wait_for(f"document.body.dataset.state === 'active' && {LEVEL} > -40")
            way = await page.wait_for(f"{WAY} !== '–' && {WAY}")
            print(json.dumps({"milliseconds": milliseconds, "words": words, "way": way}), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who is told to end takes the browser along
    trio.run(main, *sys.argv[1:])
