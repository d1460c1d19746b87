"""A headless Firefox, driven by WebDriver BiDi over its WebSocket."""

import base64
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio
from trio_websocket import WebSocketConnection

from support.browser import Page, PageError, open_remote_control, run_browser

PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "browser.safebrowsing.update.enabled": False,
    "extensions.update.enabled": False,
    "layout.frame_rate": 15,  # to draw costs more than a call, and nobody looks
}
NO_PREFERENCES: Mapping[str, object] = {}
ANNOUNCEMENT = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class FirefoxPage(Page):
    """A tab, which BiDi calls a browsing context."""

    def __init__(self, browser: "Firefox", context: str) -> None:
        self._browser = browser
        self._context = context

    async def goto(self, url: str) -> None:
        await self._browser.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        # Any value travels as JSON text: BiDi's own notation of objects is not JSON's.
        source = f"Promise.resolve({expression}).then((value) => JSON.stringify(value) ?? 'null')"
        value = await self._script(source, awaitPromise=True, userActivation=True)
        return json.loads(value["value"])

    async def run_script(self, source: str) -> None:
        await self._script(source, awaitPromise=False)

    async def screenshot(self) -> bytes:
        answer = await self._browser.command("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(answer["data"])

    async def close(self) -> None:
        await self._browser.command("browsingContext.close", context=self._context)

    async def _script(self, source: str, **params: Any) -> dict[str, Any]:
        answer = await self._browser.command(
            "script.evaluate", expression=source, target={"context": self._context}, **params
        )
        if answer["type"] == "exception":
            raise PageError(answer["exceptionDetails"]["text"])
        result: dict[str, Any] = answer["result"]
        return result


class Firefox:
    """A BiDi connection; ``run`` reads it."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self._websocket = websocket
        self._next_id = 0
        self._answers: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        self._next_id += 1
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        self._answers[self._next_id] = send
        await self._websocket.send_message(json.dumps({"id": self._next_id, "method": method, "params": params}))
        answer = await receive.receive()
        if answer["type"] == "error":
            raise PageError(f"{method}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def run(self) -> None:
        """Read answers until the browser closes the connection; no events are subscribed to."""
        while True:
            message = json.loads(await self._websocket.get_message())
            if message.get("id") in self._answers:
                self._answers.pop(message["id"]).send_nowait(message)


@contextmanager
def run_firefox(
    directory: Path, sound_card: str = "", preferences: Mapping[str, object] = NO_PREFERENCES
) -> Iterator[str]:
    """A browser with a fresh profile in ``directory``; yields its BiDi URL. Its microphone is a tone.

    ``sound_card`` is what ``open_sound_card`` has yielded. Of ``preferences`` the later ones win.
    """
    executable = shutil.which("firefox-esr")
    assert executable, "firefox-esr is not installed: run `make test`"
    directory.mkdir(parents=True, exist_ok=True)
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in {**PREFERENCES, **preferences}.items()
    ]
    (directory / "user.js").write_text("\n".join(lines))
    environment = {"PULSE_SERVER": sound_card} if sound_card else {}
    options = ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(directory)]
    with run_browser([executable, *options], ANNOUNCEMENT, environment) as url:
        yield url


@asynccontextmanager
async def open_firefox_page(bidi_url: str) -> AsyncIterator[FirefoxPage]:
    """A tab in a user context of its own, which ends with the block; one at a time, as BiDi has one session."""
    async with open_remote_control(f"{bidi_url}/session") as websocket, trio.open_nursery() as nursery:
        browser = Firefox(websocket)
        nursery.start_soon(browser.run)
        await browser.command("session.new", capabilities={})
        user_context = (await browser.command("browser.createUserContext"))["userContext"]
        created = await browser.command("browsingContext.create", type="tab", userContext=user_context)
        try:
            yield FirefoxPage(browser, created["context"])
        finally:
            with trio.move_on_after(5) as scope:
                scope.shield = True
                await browser.command("browser.removeUserContext", userContext=user_context)
                await browser.command("session.end")
        nursery.cancel_scope.cancel()
