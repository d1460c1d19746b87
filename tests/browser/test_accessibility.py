"""The page as axe sees it, which knows WCAG's rules: in each of its states, in both browsers."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from glottis.server.gateway import Gateway
from support.axe import AXE, violations
from support.browser import Page
from support.patience import PROCESS_PATIENCE

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]

STATE = "document.body.dataset.state"


async def press(page: Page) -> None:
    await page.evaluate("document.getElementById('call').click()")


async def unfold(page: Page) -> None:
    await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


async def idle(page: Page, gateway: Gateway) -> None:
    """Before any call."""


async def unfolded(page: Page, gateway: Gateway) -> None:
    """With all that can be opened."""
    await unfold(page)


async def connecting(page: Page, gateway: Gateway) -> None:
    """Nothing comes back."""
    await page.evaluate("globalThis.fetch = () => new Promise(() => {}), null")
    await press(page)
    await page.wait_for(f"{STATE} === 'connecting'")


async def active(page: Page, gateway: Gateway) -> None:
    """A call, in which something was said, with its figures and events."""
    await press(page)
    await page.wait_for(f"{STATE} === 'active'")
    for text in ("hello", "again"):
        write = f"document.getElementById('text').value = {json.dumps(text)}"
        await page.evaluate(f"({write}, document.getElementById('chat').requestSubmit())")
    await page.wait_for("document.querySelectorAll('#log li.agent').length === 2")
    await page.evaluate("document.getElementById('copy').click()")
    await unfold(page)


async def refused(page: Page, gateway: Gateway) -> None:
    """A call that came to nothing, and its notice."""
    gateway.sessions.drain()
    await press(page)
    await page.wait_for(f"{STATE} === 'ended'")
    await page.wait_for("!document.getElementById('notice').hidden")


async def ended(page: Page, gateway: Gateway) -> None:
    """After a call."""
    await active(page, gateway)
    await press(page)
    await page.wait_for(f"{STATE} === 'ended'")


@pytest.mark.parametrize("reach", [idle, unfolded, connecting, active, refused, ended])
async def test_the_page_can_be_used_by_everybody(browser: OpenPage, gateway: Gateway, reach: Any) -> None:
    async with browser() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            await page.goto(gateway.url)
            await page.wait_for("!document.getElementById('call').disabled")
            await reach(page, gateway)
            await page.run_script(AXE)
            assert await violations(page) == {}


async def test_the_page_can_be_used_by_everybody_at_night(chromium_page: Any, gateway: Gateway) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    with trio.fail_after(PROCESS_PATIENCE):
        await chromium_page.command("Emulation.setEmulatedMedia", features=features)
        await chromium_page.goto(gateway.url)
        await chromium_page.wait_for("!document.getElementById('call').disabled")
        await active(chromium_page, gateway)
        await chromium_page.run_script(AXE)
        assert await violations(chromium_page) == {}
