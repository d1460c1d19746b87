"""The page of the gateway, used as a person uses it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis.server.gateway import Gateway
from support.browser import Page
from support.command import open_command
from support.gateway import CONFIG, open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.tls import make_certificate

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]

STATE = "document.body.dataset.state"
STATUS = "document.getElementById('status').textContent"
NOTICE = "document.getElementById('notice').innerText.replace(/\\s+/g, ' ')"
LINES = """
    [...document.querySelectorAll('#log li')].map(
        (line) => [line.className, line.querySelector('.words').textContent])
"""
CAMPAIGNS = "[...document.getElementById('campaign').options].map(({ value }) => value)"


def level(name: str) -> str:
    return f"Number(document.getElementById('{name}').getAttribute('aria-valuenow'))"


@pytest.fixture
async def page(browser: OpenPage, gateway: Gateway) -> AsyncIterator[Page]:
    async with browser() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            await visit(page, gateway)
            yield page


@pytest.fixture
async def audible_page(chromium_page: Page, gateway: Gateway) -> AsyncIterator[Page]:
    """For what needs an AudioContext: Chromium has one without a sound card, too."""
    with trio.fail_after(PROCESS_PATIENCE):
        await visit(chromium_page, gateway)
        yield chromium_page


async def visit(page: Page, gateway: Gateway | str, query: str = "") -> None:
    """Until one can choose whom to call."""
    await page.goto(f"{gateway if isinstance(gateway, str) else gateway.url}/{query}")
    await page.wait_for("!document.getElementById('call').disabled")


async def press(page: Page, control: str = "call") -> None:
    await page.evaluate(f"document.getElementById('{control}').click()")


async def call(page: Page) -> None:
    await press(page)
    await page.wait_for(f"{STATE} === 'active'")


async def write(page: Page, text: str) -> None:
    await page.evaluate(
        f"document.getElementById('text').value = '{text}', document.getElementById('chat').requestSubmit()"
    )


async def choose(page: Page, control: str, value: str) -> None:
    await page.evaluate(f"document.getElementById('{control}').value = '{value}'")


async def test_one_button_makes_the_call_and_ends_it(page: Page, gateway: Gateway) -> None:
    assert await page.evaluate(STATUS) == "Ready."
    await call(page)
    assert await page.evaluate(STATUS) == "In call."
    assert await page.evaluate("document.getElementById('call-label').textContent") == "Hang up"
    assert await page.evaluate("document.getElementById('timer').textContent") == "0:00"
    await press(page)
    assert await page.evaluate(STATE) == "ended"
    assert await page.evaluate(STATUS) == "You hung up."
    await eventually(lambda: len(gateway.sessions) == 0)


async def test_the_campaigns_of_the_gateway_are_there_to_choose_from(audible_page: Page) -> None:
    assert await audible_page.evaluate(CAMPAIGNS) == ["echo", "campaign-abc", "talker"]


async def test_the_address_can_name_the_campaign(chromium_page: Page, gateway: Gateway) -> None:
    await visit(chromium_page, gateway, "?campaign=talker")
    await chromium_page.wait_for(f"{CAMPAIGNS}.length === 3")
    assert await chromium_page.evaluate("document.getElementById('campaign').value") == "talker"


async def test_both_levels_move_with_the_voice_and_the_ring_of_the_button_too(audible_page: Page) -> None:
    await call(audible_page)
    await audible_page.wait_for(f"{level('level-out')} > -40")
    await audible_page.wait_for(f"{level('level-in')} > -40")
    await audible_page.wait_for("Number(document.getElementById('call').style.getPropertyValue('--theirs')) > 0.2")


async def test_statistics_name_the_codec_that_was_chosen_and_draw_lines(page: Page) -> None:
    await choose(page, "codec", "G722")
    await call(page)
    await page.wait_for("document.getElementById('stat-codec').textContent === 'G722 · udp'")
    points = "document.querySelector('.card:has(#stat-rate-in) polyline').getAttribute('points')"
    await page.wait_for(f"{points}.split(' ').length >= 2")
    assert (await page.evaluate("document.getElementById('stat-jitter').textContent")).endswith(" ms")


async def test_what_is_written_is_answered(page: Page) -> None:
    await call(page)
    await write(page, "hello")
    await page.wait_for(f"{LINES}.length === 2")
    assert await page.evaluate(LINES) == [["user", "hello"], ["agent", "hello"]]


async def test_keys_are_pressed_by_the_keypad(audible_page: Page, gateway: Gateway) -> None:
    await call(audible_page)
    await audible_page.evaluate("document.querySelector('#keypad [value=\"5\"]').click()")
    await audible_page.evaluate(
        "document.querySelector('#keypad [aria-label=hash]').dispatchEvent("
        "new KeyboardEvent('keydown', { key: '#', bubbles: true }))"
    )
    assert await audible_page.evaluate("document.getElementById('digits').textContent") == "5#"


async def test_the_report_tells_of_the_call_and_keeps_its_secrets(audible_page: Page) -> None:
    await call(audible_page)
    await press(audible_page, "copy")
    report = await audible_page.wait_for("document.getElementById('report').textContent")
    assert '"campaign": "echo"' in report
    assert "a=fingerprint" in report
    assert "token=" not in report
    await audible_page.evaluate("document.getElementById('descriptions').open = true")
    await audible_page.wait_for("document.getElementById('answer').textContent.startsWith('v=0')")
    assert "media" in await audible_page.evaluate("document.getElementById('events').textContent")


async def test_agent_may_hang_up_and_the_page_says_why(page: Page) -> None:
    await call(page)
    await write(page, "hangup")
    await page.wait_for(f"{STATE} === 'ended'")
    assert await page.evaluate(STATUS) == "The call has ended: the caller asked for it."


async def test_second_call_follows_the_first(audible_page: Page) -> None:
    await call(audible_page)
    await press(audible_page)
    await call(audible_page)
    await audible_page.wait_for(f"{level('level-in')} > -40")


async def test_refusal_is_told_in_words(page: Page, gateway: Gateway) -> None:
    gateway.sessions.drain()
    await press(page)
    await page.wait_for(f"{STATE} === 'ended'")
    assert await page.evaluate(STATUS) == "The gateway is about to stop, try again later."
    assert "about to stop" in await page.evaluate(NOTICE)


async def test_unknown_campaign_is_told_in_words(chromium_page: Page, gateway: Gateway) -> None:
    await visit(chromium_page, gateway, "?campaign=nobody")
    await press(chromium_page)
    await chromium_page.wait_for(f"{STATE} === 'ended'")
    assert "campaignId" in await chromium_page.evaluate(NOTICE)


async def test_without_a_microphone_one_can_listen(deaf_chromium: OpenPage, gateway: Gateway) -> None:
    async with deaf_chromium() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            await visit(page, gateway, "?campaign=talker")
            await call(page)
            assert await page.evaluate(STATUS) == "In call, listening only."
            assert "No microphone was found. Connect one" in await page.evaluate(NOTICE)
            await page.wait_for(f"{level('level-in')} > -40")


async def test_a_page_from_another_machine_without_https_is_told_at_once(
    deaf_chromium: OpenPage, gateway: Gateway
) -> None:
    async with deaf_chromium() as page:
        with trio.fail_after(PROCESS_PATIENCE):
            await hide_devices(page)
            await visit(page, gateway)
            notice = await page.evaluate(NOTICE)
    assert "only to pages from https or from this machine" in notice
    assert "http://localhost:" in notice
    assert "glottis cert" in notice


async def test_the_page_calls_by_https(chromium_page: Any, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    files = f'certificate = "{certificate}"\nprivate_key = "{key}"'
    async with open_test_gateway(tmp_path, CONFIG.replace("[server]", f"[server]\n{files}")) as gateway:
        await chromium_page.command("Security.setIgnoreCertificateErrors", ignore=True)
        await visit(chromium_page, gateway)
        await call(chromium_page)
        assert await chromium_page.evaluate("[isSecureContext, location.protocol].join()") == "true,https:"
        await press(chromium_page)
        await chromium_page.wait_for(f"{STATE} === 'ended'")


async def hide_devices(page: Any) -> None:
    """As browsers do for pages that come by http from elsewhere."""
    script = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { value: undefined });"
    await page.command("Page.addScriptToEvaluateOnNewDocument", source=script)


DEMO = Path(__file__).parents[2] / "demo.toml"
KEEP_THE_PEER = """
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...settings) { super(...settings); globalThis.peer = this; }
    };
"""
UFRAG = "peer.localDescription.sdp.match(/a=ice-ufrag:(.*)/)[1]"
HASTY = {"GLOTTIS_SERVER__PORT": "0", "GLOTTIS_SERVER__RESUME_GRACE": "2"}
FAIL = """
    Object.defineProperty(peer, "connectionState", { value: "failed", configurable: true }),
    peer.dispatchEvent(new Event("connectionstatechange"))
"""


async def test_killed_gateway_is_told_as_such_and_not_as_blocked_udp(chromium_page: Page) -> None:
    async with open_command("serve", "--config", DEMO, env=HASTY) as gateway:
        await visit(chromium_page, (await gateway.wait_for(r"serves (http://\S+)"))[1], "?campaign=echo")
        await call(chromium_page)
        gateway.process.kill()
        await chromium_page.wait_for(f"{STATE} === 'reconnecting'")
        assert (await chromium_page.evaluate(STATUS)).startswith("The connection to the gateway is lost; connecting")
        await chromium_page.wait_for(f"{STATE} === 'ended'")
        lost = "The connection to the gateway is lost: it has stopped, or the network has failed."
        assert lost in await chromium_page.evaluate(NOTICE)
        await press(chromium_page)
        await chromium_page.wait_for(f"{STATE} === 'ended'")
        assert "cannot be reached. See whether it runs" in await chromium_page.evaluate(NOTICE)


async def test_media_that_breaks_is_sought_by_another_way(audible_page: Page) -> None:
    await audible_page.run_script(KEEP_THE_PEER)
    await call(audible_page)
    ufrag = await audible_page.evaluate(UFRAG)
    await audible_page.evaluate(FAIL)
    assert (await audible_page.evaluate(STATUS)).startswith("The connection is interrupted; looking for another way")
    await audible_page.wait_for(f"{UFRAG} !== '{ufrag}' && peer.signalingState === 'stable'")


PUBLIC_URL = CONFIG.replace("[server]", '[server]\npublic_url = "https://voice.example"')


async def test_page_that_may_not_call_under_the_public_url_calls_where_it_came_from(
    chromium_page: Page, tmp_path: Path
) -> None:
    config = PUBLIC_URL.replace("http://127.0.0.1:*", "https://www.example")
    async with open_test_gateway(tmp_path, config) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            await visit(chromium_page, gateway)
            await call(chromium_page)
        await gateway.stop(grace=0)


KEY = "a-key-for-the-demo-page-0123456789"


async def test_missing_api_key_is_told_in_words_and_the_right_one_is_taken(chromium_page: Page, tmp_path: Path) -> None:
    keys = f'scheme = "api-keys"\n[auth.settings]\nplain_keys = {{ demo = "{KEY}" }}'
    async with open_test_gateway(tmp_path, CONFIG.replace('scheme = "anonymous"', keys)) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            await chromium_page.goto(gateway.url)
            await chromium_page.wait_for(f"{NOTICE}.includes('Enter an API key in the settings')")
            await choose(chromium_page, "api-key", KEY)
            await chromium_page.evaluate("document.getElementById('api-key').dispatchEvent(new Event('change'))")
            await chromium_page.wait_for(f"{CAMPAIGNS}.length === 3")
            await call(chromium_page)
        await gateway.stop(grace=0)


PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
TOO_FAINT = """
    (() => {
        const WORDS = "h1, p, label, dt, dd, summary, button:enabled, select:enabled";
        const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
        const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        const light = (color) => rgb(color).slice(0, 3).map((part) => linear(part / 255))
            .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
        const isClear = (element) => rgb(getComputedStyle(element).backgroundColor)[3] === 0;
        return [...document.querySelectorAll(WORDS)].filter((element) => {
            if (!element.offsetParent || !element.innerText?.trim()) return false;
            let ground = element;
            while (ground.parentElement && isClear(ground)) ground = ground.parentElement;
            const colors = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
            const [dark, bright] = colors.map(light).sort((one, other) => one - other);
            return (bright + 0.05) / (dark + 0.05) < 4.5;
        }).map((element) => element.outerHTML.slice(0, 100));
    })()
"""


async def test_a_phone_needs_not_scroll_sideways(chromium_page: Any, gateway: Gateway) -> None:
    await chromium_page.command("Emulation.setDeviceMetricsOverride", **PHONE)
    await visit(chromium_page, gateway)
    await chromium_page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert await chromium_page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_stand_out_by_day_and_night(chromium_page: Any, gateway: Gateway, scheme: str) -> None:
    """WCAG 2.2 §1.4.3."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await chromium_page.command("Emulation.setEmulatedMedia", features=features)
    await visit(chromium_page, gateway)
    assert await chromium_page.evaluate(TOO_FAINT) == []


async def test_keys_of_the_keyboard_are_enough(chromium_page: Any, gateway: Gateway) -> None:
    await visit(chromium_page, gateway)

    async def strike(key: str, code: int, text: str = "") -> None:
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        await chromium_page.command("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed)
        await chromium_page.command("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    await strike("Tab", 9)
    assert await chromium_page.evaluate("document.activeElement.id") == "campaign"
    await strike("Tab", 9)
    assert await chromium_page.evaluate("document.activeElement.id") == "call"
    await strike("Enter", 13, "\r")
    await chromium_page.wait_for(f"{STATE} === 'active'")
    await strike("Tab", 9)
    assert await chromium_page.evaluate("document.activeElement.id") == "mute"
