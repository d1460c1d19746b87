"""The demo page, used as a person uses it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from support.browser import Page
from support.command import open_command
from support.gateway import CONFIG, open_test_gateway
from support.phone import eventually

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]

STATE = "document.body.dataset.state"
STATUS = "document.getElementById('status').textContent"
LINES = "[...document.querySelectorAll('#log li')].map((line) => [line.className, line.textContent])"


def level(name: str) -> str:
    return f"Number(document.getElementById('{name}').getAttribute('aria-valuenow'))"


@pytest.fixture
async def demo(browser: OpenPage, gateway: Gateway) -> AsyncIterator[Page]:
    async with browser() as page:
        with trio.fail_after(60):
            await page.goto(gateway.url)
            yield page


@pytest.fixture
async def audible_demo(chromium_page: Page, gateway: Gateway) -> AsyncIterator[Page]:
    """For what needs an AudioContext: Firefox has none that runs where there is no sound card."""
    with trio.fail_after(60):
        await chromium_page.goto(gateway.url)
        yield chromium_page


async def call(page: Page) -> None:
    await page.evaluate("document.getElementById('call').click()")
    await page.wait_for(f"{STATE} === 'in-call'")


async def write(page: Page, text: str) -> None:
    await page.evaluate(
        f"document.getElementById('text').value = '{text}', document.getElementById('chat').requestSubmit()"
    )


async def test_one_button_makes_the_call_and_ends_it(demo: Page, gateway: Gateway) -> None:
    assert await demo.evaluate(STATUS) == "Ready."
    await call(demo)
    assert await demo.evaluate(STATUS) == "In call."
    assert await demo.evaluate("document.getElementById('call-label').textContent") == "Hang up"
    await demo.evaluate("document.getElementById('call').click()")
    assert await demo.evaluate(STATE) == "ended"
    assert await demo.evaluate(STATUS) == "You hung up."
    await eventually(lambda: len(gateway.sessions) == 0)


async def test_both_levels_move_with_the_voice(audible_demo: Page) -> None:
    await call(audible_demo)
    await audible_demo.wait_for(f"{level('level-out')} > -40")
    await audible_demo.wait_for(f"{level('level-in')} > -40")


async def test_statistics_name_the_codec_that_was_chosen(demo: Page) -> None:
    await demo.evaluate("document.getElementById('codec').value = 'G722'")
    await call(demo)
    await demo.wait_for("document.getElementById('stat-codec').textContent === 'G722'")


async def test_chat_is_answered(demo: Page) -> None:
    await call(demo)
    await demo.wait_for(f"{LINES}.some(([from, text]) => from === 'agent' && text === 'Backend connected')")
    await write(demo, "hello")
    await demo.wait_for(f"{LINES}.length === 3")
    assert (await demo.evaluate(LINES))[1:] == [["you", "hello"], ["agent", "hello"]]


async def test_agent_may_hang_up_and_the_page_says_why(demo: Page) -> None:
    await call(demo)
    await write(demo, "hangup")
    await demo.wait_for(f"{STATE} === 'ended'")
    assert await demo.evaluate(STATUS) == "The call has ended: the caller asked for it."


async def test_second_call_follows_the_first(audible_demo: Page) -> None:
    await call(audible_demo)
    await audible_demo.evaluate("document.getElementById('call').click()")
    await call(audible_demo)
    await audible_demo.wait_for(f"{level('level-in')} > -40")


async def test_refusal_is_told_in_words(demo: Page, gateway: Gateway) -> None:
    gateway.sessions.drain()
    await demo.evaluate("document.getElementById('call').click()")
    await demo.wait_for(f"{STATE} === 'ended'")
    assert await demo.evaluate(STATUS) == "The gateway is about to stop, try again later."
    assert await demo.evaluate("document.body.hasAttribute('data-failed')")


async def test_unknown_campaign_is_told_in_words(chromium_page: Page, gateway: Gateway) -> None:
    await chromium_page.goto(f"{gateway.url}/?campaign=nobody")
    await chromium_page.evaluate("document.getElementById('call').click()")
    await chromium_page.wait_for(f"{STATE} === 'ended'")
    assert "campaignId" in await chromium_page.evaluate(STATUS)


async def test_without_a_microphone_one_can_listen(deaf_chromium: OpenPage, gateway: Gateway) -> None:
    async with deaf_chromium() as page:
        with trio.fail_after(60):
            await page.goto(f"{gateway.url}/?campaign=talker")
            await call(page)
            assert await page.evaluate(STATUS) == "In call, listening only."
            await page.wait_for(f"{level('level-in')} > -40")


DEMO = Path(__file__).parents[2] / "demo.toml"
KEEP_THE_PEER = """
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...settings) { super(...settings); globalThis.peer = this; }
    };
"""
UFRAG = "peer.localDescription.sdp.match(/a=ice-ufrag:(.*)/)[1]"
HASTY = {"GLOTTIS_SERVER__PORT": "0", "GLOTTIS_SERVER__RESUME_GRACE": "2"}
FAIL = """
    Object.defineProperty(peer, "connectionState", { value: "failed" }),
    peer.dispatchEvent(new Event("connectionstatechange"))
"""


async def test_killed_gateway_is_told_as_such_and_not_as_blocked_udp(chromium_page: Page) -> None:
    async with open_command("serve", "--config", DEMO, env=HASTY) as gateway:
        await chromium_page.goto((await gateway.wait_for(r"serves (http://\S+)"))[1])
        await chromium_page.run_script(KEEP_THE_PEER)
        await call(chromium_page)
        gateway.process.kill()
        await chromium_page.wait_for(f"{LINES}.some(([, text]) => text.startsWith('The signaling connection is lost'))")
        await chromium_page.evaluate(FAIL)  # which takes browsers some seconds to see
        lost = "The connection to the gateway is lost: it has stopped, or the network has failed."
        await chromium_page.wait_for(f"{STATUS} === '{lost}'")


async def test_media_that_breaks_is_sought_by_another_way(chromium_page: Page, gateway: Gateway) -> None:
    await chromium_page.goto(gateway.url)
    await chromium_page.run_script(KEEP_THE_PEER)
    await call(chromium_page)
    ufrag = await chromium_page.evaluate(UFRAG)
    await chromium_page.evaluate(FAIL)
    assert (await chromium_page.evaluate(STATUS)).startswith("The connection is broken; looking for another way")
    await chromium_page.wait_for(f"{UFRAG} !== '{ufrag}' && peer.signalingState === 'stable'")


PUBLIC_URL = CONFIG.replace("[server]", '[server]\npublic_url = "https://voice.example"')


async def test_page_that_may_not_call_under_the_public_url_calls_where_it_came_from(
    chromium_page: Page, tmp_path: Path
) -> None:
    config = PUBLIC_URL.replace("http://127.0.0.1:*", "https://www.example")
    async with open_test_gateway(tmp_path, config) as gateway:
        with trio.fail_after(60):
            await chromium_page.goto(gateway.url)
            await call(chromium_page)
        await gateway.stop(grace=0)


async def test_public_url_that_cannot_be_reached_is_told_in_words(chromium_page: Page, tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path, PUBLIC_URL) as gateway:
        with trio.fail_after(60):
            await chromium_page.goto(gateway.url)
            await chromium_page.evaluate("document.getElementById('call').click()")
            await chromium_page.wait_for(f"{STATE} === 'ended'")
            status = await chromium_page.evaluate(STATUS)
        await gateway.stop(grace=0)
    assert status.startswith(f"The WebSocket to voice.example could not be opened from this page of {gateway.url}. ")
    assert "whether the host can be reached" in status


async def test_missing_api_key_is_told_in_words_and_the_right_one_is_taken(chromium_page: Page, tmp_path: Path) -> None:
    keys = 'scheme = "api-keys"\n[auth.settings]\nplain_keys = { demo = "a-key-for-the-demo-page-0123456789" }'
    async with open_test_gateway(tmp_path, CONFIG.replace('scheme = "anonymous"', keys)) as gateway:
        await chromium_page.goto(gateway.url)
        await chromium_page.evaluate("document.getElementById('call').click()")
        await chromium_page.wait_for(f"{STATE} === 'ended'")
        assert (await chromium_page.evaluate(STATUS)).startswith("Send an API key that the gateway knows")
        await chromium_page.evaluate("document.getElementById('api-key').value = 'a-key-for-the-demo-page-0123456789'")
        await call(chromium_page)
        await gateway.stop(grace=0)
