"""The library for browsers (plugins/web/javascript), in pages of the gateway's own with their strict policy."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import Call, TextMessage, TypedMessage
from glottis.server.gateway import Gateway
from glottis_web import client_pages
from support.browser import Page
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin

OpenPage = Callable[[], AbstractAsyncContextManager[Page]]

LIBRARY = client_pages()["/client/glottis.js"].content.decode()
LISTEN = """
    const told = []; // [type, detail]
    let call;
    const TYPES = ["state", "text", "event", "level", "error", "reconnecting", "reconnected", "transport"];
    async function dial(options, settings = {}) {
        call = new Glottis.GlottisClient(settings).call({ campaign: "parrot", ...options });
        for (const type of TYPES) call.on(type, (detail) => told.push([type, detail]));
        await call.connect();
    }
    const all = (type) => told.filter(([each]) => each === type).map(([, detail]) => detail);
    const events = (name) => all("event").filter((event) => event.name === name).map(({ data }) => data);
    const sockets = [];
    globalThis.WebSocket = class extends WebSocket {
        constructor(url) { super(url); sockets.push(this); }
    };
    class BlockedPeer extends RTCPeerConnection { // no way but by relays, of which there are none
        constructor(configuration) { super({ ...configuration, iceTransportPolicy: "relay" }); }
    }
"""
AGENT_IS_HEARD = "all('level').some(({ agent }) => agent > -40)"


async def parrot(call: Call) -> None:
    """Says again what it hears and reads, and tells of keys and of what it was asked."""
    call.nursery.start_soon(read, call)
    call.nursery.start_soon(watch_keys, call)
    async for frame in call.audio:
        await call.say(frame)


async def read(call: Call) -> None:
    async for message in call.messages:
        if isinstance(message, TypedMessage):
            await call.send_event("asked", {"for": message.type})
        elif isinstance(message, TextMessage):
            await call.send_text(message.text)


async def watch_keys(call: Call) -> None:
    async for press in call.dtmf:
        await call.send_event("pressed", {"digit": press.digit})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    plugin = TestPlugin(parrot=parrot)
    config = plugin.config() + '\n[pages]\nenabled = ["client"]\n'
    async with open_test_gateway(tmp_path, config, [plugin]) as gateway:
        with trio.fail_after(PROCESS_PATIENCE):
            yield gateway
        await gateway.stop(grace=0)


async def prepare(page: Page, gateway: Gateway) -> None:
    await page.goto(f"{gateway.url}/client/index.js")
    await page.run_script("var Glottis;" + LIBRARY + LISTEN)


@pytest.fixture
async def page(browser: OpenPage, gateway: Gateway) -> AsyncIterator[Page]:
    async with browser() as page:
        await prepare(page, gateway)
        yield page


@pytest.fixture
async def audible_page(audible_browser: OpenPage, gateway: Gateway) -> AsyncIterator[Page]:
    """For what needs an AudioContext."""
    async with audible_browser() as page:
        await prepare(page, gateway)
        yield page


async def dial(page: Page, **options: Any) -> None:
    await page.evaluate(f"dial({json.dumps(options)})")


async def converse(page: Page, text: str) -> None:
    await page.evaluate(f"call.sendText('{text}')")
    await page.wait_for(f"all('text').some(({{ text }}) => text === '{text}')")


async def test_a_call_from_its_beginning_to_its_end(page: Page, gateway: Gateway) -> None:
    await dial(page, codec="OPUS", metadata={"page": "test"})
    await page.wait_for(AGENT_IS_HEARD)
    await converse(page, "hello")
    await page.evaluate("call.sendDtmf('5')")
    await page.wait_for("events('pressed').some(({ digit }) => digit === '5')")
    await page.evaluate("call.interrupt()")
    await page.wait_for("events('asked').length === 1")
    assert await page.evaluate("events('asked')[0].for") == "interrupt"
    statistics = await page.evaluate("call.getStatistics()")
    assert (statistics["codec"], statistics["path"]) == ("opus", "udp")
    (session,) = gateway.sessions
    report = await page.evaluate("call.getReport()")
    assert report["sessionId"] == session.info.session_id
    assert report["timings"]["total"] >= report["timings"]["answer"] > 0
    assert "a=ice-pwd:…" in report["answer"]
    assert "token=" not in json.dumps(report)
    await page.evaluate("call.hangUp()")
    assert await page.evaluate("call.state") == "ended"
    assert await page.evaluate("call.microphone.getTracks()[0].readyState") == "ended"
    assert await page.evaluate("all('error')") == []
    await eventually(lambda: len(gateway.sessions) == 0)


async def test_a_call_goes_on_after_its_socket_was_cut(page: Page) -> None:
    await dial(page)
    ufrag = "call.peer.remoteDescription.sdp.match(/a=ice-ufrag:(.*)/)[1]"
    before = await page.evaluate(ufrag)
    await page.evaluate("sockets[0].close(4000)")
    await page.wait_for(f"call.state === 'active' && sockets.length === 2 && {ufrag} !== '{before}'")
    assert [told["state"] for told in await page.evaluate("all('state')")][-2:] == ["reconnecting", "active"]
    await converse(page, "still here")
    assert await page.evaluate("all('error')") == []


async def test_a_call_goes_on_when_its_page_is_loaded_anew(page: Page, gateway: Gateway) -> None:
    await dial(page, survivesReload=True)
    await converse(page, "before")
    (session,) = gateway.sessions
    assert not await page.evaluate("new Glottis.GlottisClient().isKept('parrot')")
    await prepare(page, gateway)
    assert await page.evaluate("new Glottis.GlottisClient().isKept('parrot')")
    await dial(page, survivesReload=True)
    await converse(page, "after")
    await page.wait_for(AGENT_IS_HEARD)
    assert await page.evaluate("call.sessionId") == session.info.session_id
    assert list(gateway.sessions) == [session]
    assert not await page.evaluate("new Glottis.GlottisClient().isKept('parrot')")
    assert await page.evaluate("all('error')") == []
    await page.evaluate("call.hangUp()")
    await eventually(lambda: len(gateway.sessions) == 0)


async def test_nobody_is_heard_who_is_muted(audible_page: Page) -> None:
    await dial(audible_page)
    await audible_page.wait_for("all('level').some(({ agent, microphone }) => agent > -40 && microphone > -40)")
    await audible_page.evaluate("call.mute(), told.length = 0")
    await audible_page.wait_for(
        "all('level').slice(-8).filter(({ agent, microphone }) => agent < -50 && microphone < -50).length === 8"
    )
    await audible_page.evaluate("call.mute(false)")
    await audible_page.wait_for(AGENT_IS_HEARD)


async def test_a_call_goes_by_the_socket_where_udp_is_blocked(audible_page: Page) -> None:
    blocked = "{ webrtc: { RTCPeerConnection: BlockedPeer, mediaDevices: navigator.mediaDevices } }"
    await audible_page.evaluate(f"dial({{ fallbackAfterMs: 300 }}, {blocked})")
    assert [told["transport"] for told in await audible_page.evaluate("all('transport')")] == ["webrtc", "websocket"]
    await audible_page.wait_for(AGENT_IS_HEARD)
    await converse(audible_page, "hello")
    await audible_page.evaluate("call.sendDtmf('5#')")
    await audible_page.wait_for("events('pressed').map(({ digit }) => digit).join('') === '5#'")
    assert (await audible_page.evaluate("call.getStatistics()"))["path"] == "websocket"
    await audible_page.evaluate("sockets.at(-1).close(4000), told.length = 0")
    await audible_page.wait_for("all('reconnected').length === 1")
    await audible_page.wait_for(AGENT_IS_HEARD)


async def test_one_without_a_microphone_listens_and_may_get_one_later(page: Page) -> None:
    await dial(page, microphone=False)
    assert await page.evaluate("call.words") == "In call, listening only."
    await page.evaluate("call.setMicrophone()")
    await page.wait_for(AGENT_IS_HEARD)


async def test_a_missing_microphone_is_told_in_words(deaf_chromium: OpenPage, gateway: Gateway) -> None:
    async with deaf_chromium() as page:
        await prepare(page, gateway)
        await page.evaluate("dial({}).catch(() => {})")
        assert await page.evaluate("all('error').map(({ error, fatal }) => [error.code, fatal])") == [
            ["MICROPHONE_MISSING", True]
        ]
        await dial(page, withoutMicrophone="listen")
        assert await page.evaluate("call.words") == "In call, listening only."


async def test_a_gateway_that_stops_is_told_in_words(audible_page: Page, gateway: Gateway) -> None:
    await dial(audible_page)
    await gateway.stop(grace=0)
    await audible_page.wait_for("call.state === 'ended'")
    assert "gateway" in await audible_page.evaluate("call.words")
    await audible_page.evaluate("dial({}).catch(() => {})")
    assert (await audible_page.evaluate("call.words")).startswith("The gateway at 127.0.0.1")
