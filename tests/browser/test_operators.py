"""The operators' page, as an operator uses it while there is a call."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import Exchange, open_exchange

TOKEN = "a token of sixteen"
CONFIGURED = (
    CONFIG
    + f"""
[pages]
enabled = ["operators"]
[extensions]
enabled = ["operators"]
[extensions.settings.operators]
metadata = ["region"]
[routes]
enabled = ["operators"]
[routes.settings.operators]
token = "{TOKEN}"
"""
)
ROWS = (
    "[...document.querySelectorAll('#running tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path, CONFIGURED) as gateway:
        yield gateway
        await gateway.stop(grace=0)


@pytest.fixture
async def exchange(watched: Gateway) -> AsyncIterator[Exchange]:
    async with open_exchange(watched) as exchange:
        yield exchange


@pytest.fixture
async def page(chromium_page: Page, watched: Gateway) -> AsyncIterator[Page]:
    with trio.fail_after(PROCESS_PATIENCE):
        await chromium_page.goto(f"{watched.url}/operators")
        await chromium_page.wait_for("!document.getElementById('login').hidden")
        await open_with(chromium_page, TOKEN)
        await chromium_page.wait_for("!document.getElementById('main').hidden")
        yield chromium_page


async def open_with(page: Page, token: str) -> None:
    await page.evaluate(
        f"document.getElementById('token').value = '{token}', document.getElementById('login').requestSubmit()"
    )


async def test_a_running_call_is_listed_with_its_quality(page: Page, exchange: Exchange) -> None:
    phone = await exchange.call()
    await page.wait_for(f"{ROWS}[0]?.[4] === 'active'")
    await page.wait_for(f"{ROWS}[0]?.[9].endsWith('good')")
    [row] = await page.evaluate(ROWS)
    assert row[:2] == [phone.session_id, "echo"]
    assert row[5] == "host – host, udp"
