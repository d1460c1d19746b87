"""A headless Chromium with a microphone that plays a WAV file, driven over its DevTools WebSocket."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

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


class PageError(Exception):
    """A script in the page threw; the message is its stack."""


class Page:
    """One tab. ``console`` collects what the page logged."""

    def __init__(self, browser: "Chromium", session_id: str) -> None:
        self.console: list[str] = []
        self._browser = browser
        self._session_id = session_id

    async def goto(self, url: str) -> None:
        """Navigate and wait for the load event."""
        loaded = self._browser.expect(self._session_id, "Page.loadEventFired")
        await self.command("Page.navigate", url=url)
        await loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression; a promise is awaited. Counts as a user's gesture."""
        answer = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    async def run_script(self, source: str) -> None:
        """Run a classic script: what it declares is global."""
        answer = await self.command("Runtime.evaluate", expression=source)
        assert "exceptionDetails" not in answer, answer

    async def wait_for(self, expression: str, seconds: float = 20) -> Any:
        """Wait in the page until an expression is truthy, and return it."""
        return await self.evaluate(
            f"""new Promise((resolve, reject) => {{
                const giveUp = performance.now() + {seconds * 1000};
                const look = () => {{
                    const value = ({expression});
                    if (value) resolve(value);
                    else if (performance.now() > giveUp) reject(new Error("in vain: " + {json.dumps(expression)}));
                    else setTimeout(look, 20);
                }};
                look();
            }})"""
        )

    async def screenshot(self) -> bytes:
        """A PNG of the page."""
        return base64.b64decode((await self.command("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        """Close the tab, as a person would."""
        await self.command("Page.close")

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a DevTools command to this tab."""
        return await self._browser.command(method, self._session_id, **params)


class Chromium:
    """The browser's DevTools connection; ``run`` reads it."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self._websocket = websocket
        self._next_id = 0
        self._answers: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}
        self._expected: dict[tuple[str, str], trio.Event] = {}
        self._pages: dict[str, Page] = {}

    async def new_page(self) -> Page:
        """Open a tab."""
        target = await self.command("Target.createTarget", url="about:blank")
        session = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, session["sessionId"])
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


@asynccontextmanager
async def open_chromium(directory: Path, microphone: Path | None) -> AsyncIterator[Chromium]:
    """Start a browser with a fresh profile under ``directory``; ``microphone`` is a WAV that it loops, if any."""
    executable = shutil.which("chromium")
    assert executable, "chromium is not installed: run `make test`"
    devices = [*MICROPHONE_FLAGS, f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    command = [executable, *FLAGS, *devices, f"--user-data-dir={directory}", "about:blank"]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(trio.run_process, command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        )
        assert process.stderr
        url = await _devtools_url(process.stderr)
        nursery.start_soon(_discard, process.stderr)
        async with open_websocket_url(url, max_message_size=1 << 28) as websocket, trio.open_nursery() as reader:
            browser = Chromium(websocket)
            reader.start_soon(browser.run)
            yield browser
            reader.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


async def _devtools_url(log: trio.abc.ReceiveStream) -> str:
    """Chromium says where it listens on its standard error."""
    said = b""
    with trio.fail_after(30):
        while not (match := re.search(rb"DevTools listening on (ws://\S+)\s", said)):
            chunk = await log.receive_some()
            assert chunk, f"Chromium ended: {said.decode(errors='replace')}"
            said += chunk
    return match[1].decode()


async def _discard(log: trio.abc.ReceiveStream) -> None:
    async for _ in log:
        pass
