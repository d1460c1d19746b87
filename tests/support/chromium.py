"""A headless Chromium with a microphone that plays a WAV file, driven over its DevTools WebSocket."""

import base64
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio
from trio_websocket import WebSocketConnection

from support.browser import Page, PageError, open_remote_control, run_browser

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
]
MICROPHONE_FLAGS = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
SHELL = "chromium-headless-shell"
"""The same engine without a window: it starts in a tenth of the time, and costs next to nothing while it waits."""
BROWSER = "chromium"
"""The one that people have."""
ANNOUNCEMENT = re.compile(r"DevTools listening on (ws://\S+)")


class ChromiumPage(Page):
    """``console`` collects what the page logged."""

    def __init__(self, browser: "Chromium", session_id: str) -> None:
        self.console: list[str] = []
        self._browser = browser
        self._session_id = session_id

    async def goto(self, url: str) -> None:
        loaded = self._browser.expect(self._session_id, "Page.loadEventFired")
        await self.command("Page.navigate", url=url)
        await loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        answer = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    async def run_script(self, source: str) -> None:
        answer = await self.command("Runtime.evaluate", expression=source)
        assert "exceptionDetails" not in answer, answer

    async def screenshot(self) -> bytes:
        return base64.b64decode((await self.command("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        await self.command("Page.close")

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a DevTools command to this tab."""
        return await self._browser.command(method, self._session_id, **params)


class Chromium:
    """A DevTools connection; ``run`` reads it."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self._websocket = websocket
        self._next_id = 0
        self._answers: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}
        self._expected: dict[tuple[str, str], trio.Event] = {}
        self._pages: dict[str, ChromiumPage] = {}

    async def new_page(self, context_id: str) -> ChromiumPage:
        """Open a tab."""
        target = await self.command("Target.createTarget", url="about:blank", browserContextId=context_id)
        session = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = ChromiumPage(self, session["sessionId"])
        self._pages[session["sessionId"]] = page
        for domain in ("Page", "Runtime"):
            await page.command(f"{domain}.enable")
        return page

    def expect(self, session_id: str, method: str) -> trio.Event:
        """An event that is set when the tab reports ``method`` next."""
        return self._expected.setdefault((session_id, method), trio.Event())

    async def command(self, method: str, session_id: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        self._next_id += 1
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        self._answers[self._next_id] = send
        message = {"id": self._next_id, "method": method, "params": params}
        if session_id is not None:
            message["sessionId"] = session_id
        await self._websocket.send_message(json.dumps(message))
        answer = await receive.receive()
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def run(self) -> None:
        """Read answers and events until the browser closes the connection."""
        while True:
            message = json.loads(await self._websocket.get_message())
            if "id" in message:
                self._answers.pop(message["id"]).send_nowait(message)
            else:
                self._handle_event(message)

    def _handle_event(self, message: dict[str, Any]) -> None:
        session_id = message.get("sessionId", "")
        event = self._expected.pop((session_id, message["method"]), None)
        if event is not None:
            event.set()
        if message["method"] == "Runtime.consoleAPICalled" and session_id in self._pages:
            text = " ".join(str(arg.get("value", arg.get("description"))) for arg in message["params"]["args"])
            self._pages[session_id].console.append(text)


@contextmanager
def run_chromium(directory: Path, microphone: Path | None, *flags: str, program: str = SHELL) -> Iterator[str]:
    """A browser with a fresh profile in ``directory``; yields its DevTools URL.

    ``microphone`` is a WAV file that it loops; None: there is no microphone. Of ``flags`` the later ones win.
    """
    executable = shutil.which(program)
    assert executable, f"{program} is not installed: run `make test`"
    devices = [*MICROPHONE_FLAGS, f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    with run_browser([executable, *FLAGS, *devices, *flags, f"--user-data-dir={directory}"], ANNOUNCEMENT) as url:
        yield url


@asynccontextmanager
async def open_chromium_page(devtools_url: str) -> AsyncIterator[ChromiumPage]:
    """A tab in a browser context of its own, which ends with the block."""
    async with open_remote_control(devtools_url) as websocket, trio.open_nursery() as nursery:
        browser = Chromium(websocket)
        nursery.start_soon(browser.run)
        context = await browser.command("Target.createBrowserContext", disposeOnDetach=True)
        yield await browser.new_page(context["browserContextId"])
        with trio.move_on_after(5) as scope:
            scope.shield = True
            await browser.command("Target.disposeBrowserContext", browserContextId=context["browserContextId"])
        nursery.cancel_scope.cancel()
