"""The library for browsers (plugins/web/javascript), in pages of the gateway's origin."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from glottis.server.gateway import Gateway
from glottis_web import client_pages
from support.browser import Page

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]

LIBRARY = client_pages()["/client/glottis.js"].content.decode()
LISTEN = """
    const told = []; // [type, detail]
    let call;
    const TYPES = ["state", "transcript", "agentState", "text", "event", "level", "error", "reconnecting", "reconnected",
        "transport", "sound", "audioBlocked"];
    async function dial(options, settings = {}) {
        call = new Glottis.GlottisClient(settings).call({ campaign: "echo", ...options });
        for (const type of TYPES) call.on(type, (detail) => told.push([type, detail]));
        await call.connect();
    }
    const all = (type) => told.filter(([each]) => each === type).map(([, detail]) => detail);
"""


async def prepare(page: Page, gateway: Gateway) -> None:
    await page.goto(f"{gateway.url}/healthz")
    await page.run_script("var Glottis;" + LIBRARY + LISTEN)


async def dial(page: Page, **options: Any) -> None:
    await page.evaluate(f"dial({json.dumps(options)})")


@pytest.fixture
async def page(browser: OpenPage, gateway: Gateway) -> AsyncIterator[Page]:
    async with browser() as page:
        with trio.fail_after(60):
            await prepare(page, gateway)
            yield page


async def test_caller_is_heard_and_reads_what_it_wrote(page: Page) -> None:
    await dial(page)
    await page.wait_for("call.state === 'active'")
    await page.evaluate("call.sendText('hello')")
    await page.wait_for("all('text').some(({ text }) => text === 'hello')")
    await page.wait_for("all('level').some(({ agent }) => agent > -40)")
    report = await page.evaluate("call.getReport()")
    print(json.dumps(report, indent=1)[:6000])
    print(await page.evaluate("call.getStatistics()"))
    await page.evaluate("call.hangUp()")
    assert await page.evaluate("call.state") == "ended"


async def test_ws(page: Page) -> None:
    await dial(page, transport="websocket")
    await page.wait_for("all('level').some(({ agent }) => agent > -40)")
    print(await page.evaluate("call.getStatistics()"))
