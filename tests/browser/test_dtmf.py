"""Keys pressed in real browsers (``RTCDTMFSender``), in the middle of what their microphones send."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from glottis import Call
from glottis.server.gateway import Gateway
from support.browser import Page
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]
PreparePage = Callable[[Page, Gateway], Awaitable[None]]


class Menu:
    """An agent that notes keys, and presses some of its own between two words."""

    def __init__(self) -> None:
        self.digits = ""
        self.durations: list[float] = []

    async def __call__(self, call: Call) -> None:
        call.nursery.start_soon(self._listen, call)
        async for press in call.dtmf:
            self.digits += press.digit
            self.durations.append(await press.released())
            if press.digit == "#":
                await call.send_dtmf("42")

    async def _listen(self, call: Call) -> None:
        async for _ in call.audio:
            pass


@pytest.fixture
def menu() -> Menu:
    return Menu()


@pytest.fixture
async def gateway(tmp_path: Path, menu: Menu) -> AsyncIterator[Gateway]:
    plugin = TestPlugin(menu=menu)
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway:
        yield gateway
        await gateway.stop(grace=0)


async def press(page: Page, digits: str, milliseconds: int) -> None:
    assert await page.evaluate("dtmf.canInsertDTMF")
    await page.evaluate(f"dtmf.insertDTMF('{digits}', {milliseconds}, 70)")


async def test_keys_pressed_in_a_browser_reach_the_agent_once_and_cost_no_audio(
    page: Page, gateway: Gateway, menu: Menu
) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        await page.evaluate(
            """(async () => {
                globalThis.call = await Call.create('menu');
                globalThis.dtmf = (await call.speak()).dtmf;
                await call.negotiate();
            })()"""
        )
        await page.wait_for("call.pc.connectionState === 'connected' && dtmf.canInsertDTMF")
        await press(page, "1123580*AB", 100)
        await eventually(lambda: len(menu.durations) == 10)
        assert menu.digits == "1123580*AB"
        assert menu.durations == pytest.approx([0.1] * 10, abs=0.03)
        # Longer than an event of Opus' clock can be: it goes in pieces (RFC 4733 §2.5.1.3).
        await press(page, "9#", 1500)
        await eventually(lambda: len(menu.durations) == 12)
        assert menu.digits == "1123580*AB9#"
        assert await page.evaluate("call.errors") == []
        counted = await page.wait_for("call.messages.findLast((one) => one.name === 'statistics')?.data")
        assert counted.get("counters", {}).keys() & {"packetsUnknown", "packetsMalformed"} == set()
        inbound = counted["inbound-rtp"]
        assert inbound["packetsLost"] == 0
        # Browsers begin an event a frame late, so that a frame before each may be missing.
        assert inbound["concealedSamples"] < 0.1 * inbound["totalSamplesReceived"]
