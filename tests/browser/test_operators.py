"""The operators' page, as an operator uses it while there are calls."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from support.axe import AXE, violations
from support.chromium import ChromiumPage
from support.fleet import open_fleet, worker_of
from support.gateway import CONFIG, open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import Exchange, open_exchange

TOKEN = "a token of sixteen"
OPERATORS = f"""
[pages]
enabled = ["operators"]
[extensions]
enabled = ["operators"]
[extensions.settings.operators]
metadata = ["region"]
event_data = true
[routes]
enabled = ["operators"]
[routes.settings.operators]
token = "{TOKEN}"
"""
ROWS = """
    [...document.querySelectorAll('#running tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))
"""
JUDGED = "/^[1-4]\\.\\d\\d (good|fair|poor)$/"
"""As any estimate of quality is shown: on a busy machine it may be any."""
SESSIONS = f"{ROWS}.map(([id]) => id)"
STATE = "document.querySelector('#facts dd')?.textContent"
IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(1)</script>"


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path, CONFIG + OPERATORS) as gateway:
        yield gateway
        await gateway.stop(grace=0)


@pytest.fixture
async def exchange(watched: Gateway) -> AsyncIterator[Exchange]:
    async with open_exchange(watched) as exchange:
        yield exchange


@pytest.fixture
async def page(chromium_page: ChromiumPage, watched: Gateway) -> AsyncIterator[ChromiumPage]:
    with trio.fail_after(PROCESS_PATIENCE):
        await visit(chromium_page, watched.url)
        yield chromium_page


async def visit(page: ChromiumPage, url: str) -> None:
    await page.goto(f"{url}/operators")
    await page.wait_for("!document.getElementById('login').hidden")
    await enter(page, TOKEN)
    await page.wait_for("!document.getElementById('main').hidden")


async def enter(page: ChromiumPage, token: str) -> None:
    await page.evaluate(
        f"document.getElementById('token').value = '{token}', document.getElementById('login').requestSubmit()"
    )


async def open_call(page: ChromiumPage, session_id: str) -> None:
    """By its link in the table."""
    await page.wait_for(f"{SESSIONS}.includes('{session_id}')")
    await page.evaluate(f"document.querySelector('#running a[href=\"#{session_id}\"]').click()")
    await page.wait_for(f"{STATE} === 'active'")


async def press(page: ChromiumPage, control: str) -> None:
    await page.evaluate(f"document.querySelector({json.dumps(control)}).click()")


async def forget(page: ChromiumPage, gateway: Gateway) -> None:
    """The token; then the page is loaded anew, whoever asks first."""
    await press(page, "#forget")
    await page.goto(f"{gateway.url}/operators")
    await page.wait_for("!document.getElementById('login').hidden")


def plotted(title: str) -> str:
    """Where the line goes, of the plot with this title."""
    found = f"[...document.querySelectorAll('.plot')].find(({{ textContent }}) => textContent.startsWith('{title}'))"
    return f"{found}?.querySelector('path').getAttribute('d')"


async def test_calls_are_listed_sorted_and_found(page: ChromiumPage, exchange: Exchange) -> None:
    one, other = (
        await exchange.call("echo", clientIdentifier="Ada"),
        await exchange.call("talker", clientIdentifier="Ben"),
    )
    await page.wait_for(f"{ROWS}.filter((row) => row[4] === 'active' && {JUDGED}.test(row[9])).length === 2")
    [row] = await page.evaluate(f"{ROWS}.filter(([id]) => id === '{one.session_id}')")
    assert row[1:3] == ["echo", "Ada"]
    assert row[5] == "host – host, udp"
    assert re.fullmatch(r"\d+\.\d · \d+\.\d %", row[6])
    assert await page.evaluate("document.getElementById('total-calls').textContent") == "2"
    await press(page, "#running th:nth-child(2) button")
    assert await page.evaluate("document.querySelector('#running th:nth-child(2)').ariaSort") == "ascending"
    assert await page.evaluate(SESSIONS) == [one.session_id, other.session_id]
    await press(page, "#running th:nth-child(2) button")
    assert await page.evaluate(SESSIONS) == [other.session_id, one.session_id]
    search = "document.getElementById('search')"
    await page.evaluate(f"{search}.value = 'ben', {search}.dispatchEvent(new Event('input'))")
    assert await page.evaluate(SESSIONS) == [other.session_id]
    assert await page.evaluate("document.getElementById('shown').textContent") == "1 of 2 calls"


async def test_one_call_is_seen_with_plots_that_move_and_is_ended(page: ChromiumPage, exchange: Exchange) -> None:
    phone = await exchange.call()
    await open_call(page, phone.session_id)
    for title in ("Mean opinion score", "Loss", "Jitter", "Round trip", "Jitter buffer", "Bitrate"):
        await page.wait_for(f"({plotted(title)} ?? '').split('L').length >= 3")
    before = await page.evaluate(plotted("Bitrate"))
    await page.wait_for(f"{plotted('Bitrate')} !== {json.dumps(before)}")
    assert "state active" in await page.evaluate("document.getElementById('call-events').textContent")
    trace = await page.wait_for("document.getElementById('trace').textContent")
    assert f"session {phone.session_id}, campaign echo, active" in trace

    await press(page, "#end")
    assert await page.evaluate("document.getElementById('confirm').open"), "it asks first"
    await press(page, "#confirm button[value='']")
    await press(page, "#end")
    assert phone.socket.closed is None
    await press(page, "#confirm button[value=end]")
    assert await phone.wait_closed() == (1000, "an operator has ended the call")
    await page.wait_for(f"{STATE} === 'ended: an operator has ended the call'")
    assert await page.evaluate("document.getElementById('end').disabled")
    await press(page, "nav a")
    ended = "[...document.querySelectorAll('#ended tbody tr')].map((row) => row.cells[5].textContent)"
    await page.wait_for(f"{ended}[0] === 'an operator has ended the call'")


async def test_what_callers_and_agents_say_of_themselves_is_only_text(page: ChromiumPage, exchange: Exchange) -> None:
    await page.run_script("globalThis.alert = () => { globalThis.struck = true; };")
    phone = await exchange.call(clientIdentifier=IMAGE, metadata={"region": SCRIPT, "secret": "hunter2"})
    session = exchange.gateway.sessions.find(phone.session_id)
    assert session is not None
    session.tell(IMAGE, {"words": SCRIPT})
    await page.wait_for(f"{ROWS}[0]?.[2] === {json.dumps(IMAGE)}")
    await open_call(page, phone.session_id)
    await page.wait_for(f"document.getElementById('call-events').textContent.includes({json.dumps(IMAGE)})")
    text = await page.evaluate("document.body.innerText")
    assert SCRIPT in text
    assert "hunter2" not in text + await page.evaluate("document.documentElement.outerHTML")
    assert await page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert not await page.evaluate("globalThis.struck")


async def test_a_wrong_token_opens_nothing_and_it_can_be_forgotten(page: ChromiumPage, exchange: Exchange) -> None:
    assert TOKEN not in await page.evaluate("document.documentElement.outerHTML + location.href + document.cookie")
    await forget(page, exchange.gateway)
    await enter(page, "no token at all")
    await page.wait_for("document.getElementById('login-said').textContent.startsWith('Send the token')")
    assert await page.evaluate("document.getElementById('main').hidden")


async def test_operators_of_this_machine_need_no_token(chromium_page: ChromiumPage, tmp_path: Path) -> None:
    config = (
        (CONFIG + OPERATORS).replace("[auth]", '[auth]\noperators = ["anonymous"]').partition("[routes.settings")[0]
    )
    async with open_test_gateway(tmp_path, config) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            await chromium_page.goto(f"{gateway.url}/operators")
            await chromium_page.wait_for("!document.getElementById('main').hidden")
            assert await chromium_page.evaluate("document.getElementById('forget').hidden")
        await gateway.stop(grace=0)


async def test_the_gateway_is_asked_nothing_while_nobody_looks(page: ChromiumPage) -> None:
    await page.run_script("""
        globalThis.asked = 0;
        globalThis.waiting = []; // in place of looks that would be due in a second or more
        const [ask, wait] = [fetch, setTimeout];
        globalThis.fetch = (...about) => { asked += 1; return ask(...about); };
        globalThis.setTimeout = (look, delay) => delay < 1000 ? wait(look, delay) : waiting.push(look);
        const see = (state) => {
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        };
    """)
    await page.wait_for("waiting.length > 0")
    await page.evaluate("(see('hidden'), asked = 0, waiting.splice(0).forEach((look) => look()))")
    assert await page.evaluate("[asked, waiting.length]") == [0, 0]
    await page.evaluate("see('visible')")
    await page.wait_for("waiting.length > 0")
    assert await page.evaluate("asked") == 1


async def test_the_page_can_be_used_by_everybody(page: ChromiumPage, exchange: Exchange) -> None:
    """By day and night, and on a phone."""
    await page.command("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    phone = await exchange.call(metadata={"region": "eu"})
    ended = await exchange.call()
    await ended.hang_up()
    await page.run_script(AXE)
    await page.wait_for(f"{JUDGED}.test({ROWS}[0]?.[9])")
    await expect_usable(page)
    await open_call(page, phone.session_id)
    await page.evaluate("document.getElementById('statistics-fold').open = true")
    await page.wait_for("document.getElementById('statistics').textContent")
    await expect_usable(page)
    await press(page, "#end")
    await expect_usable(page)
    await press(page, "#confirm button[value='']")
    await forget(page, exchange.gateway)
    await page.run_script(AXE)
    await expect_usable(page)


async def expect_usable(page: ChromiumPage) -> None:
    for scheme in ("light", "dark"):
        await page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert await violations(page) == {}
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_calls_of_all_workers_are_there(chromium_page: ChromiumPage, tmp_path: Path) -> None:
    async with open_fleet(tmp_path, more=OPERATORS) as fleet:
        with trio.fail_after(PROCESS_PATIENCE):
            await visit(chromium_page, fleet.exchange.gateway.url)
            phones = [await fleet.exchange.call() for _ in range(2)]
            assert len({worker_of(phone) for phone in phones}) == 2
            for phone in phones:
                await open_call(chromium_page, phone.session_id)
                await press(chromium_page, "nav a")
            assert set(await chromium_page.evaluate(SESSIONS)) == {phone.session_id for phone in phones}
