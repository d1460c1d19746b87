"""Microphone and loudspeaker of the gateway's page: who calls chooses them, also in the call, and finds them again."""

from typing import Any

import trio
from glottis.server.gateway import Gateway
from support.patience import PROCESS_PATIENCE

WATCH = """
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...settings) { super(...settings); globalThis.peer = this; }
    };
    globalThis.sinks = [];
    const setSinkId = HTMLMediaElement.prototype.setSinkId;
    HTMLMediaElement.prototype.setSinkId = function (id) {
        sinks.push(id);
        return setSinkId.call(this, id);
    };
"""
READY = "!document.getElementById('call').disabled"
HEARD = "peer.getSenders().find(({ track }) => track?.kind === 'audio').track.getSettings().deviceId"


async def choose(page: Any, kind: str) -> str:
    """The last device of this kind, as a person would."""
    await page.wait_for(f"document.getElementById('{kind}').options.length > 1")
    chosen: str = await page.evaluate(
        f"""(() => {{
            const select = document.getElementById('{kind}');
            select.selectedIndex = select.options.length - 1;
            select.dispatchEvent(new Event('change'));
            return select.value;
        }})()"""
    )
    assert chosen
    return chosen


async def test_devices_are_changed_in_the_call_and_remembered(whole_chromium_page: Any, gateway: Gateway) -> None:
    page = whole_chromium_page
    await page.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    with trio.fail_after(PROCESS_PATIENCE):
        await page.goto(gateway.url)
        await page.wait_for(READY)
        await page.evaluate("document.getElementById('call').click()")
        await page.wait_for("document.body.dataset.state === 'active'")
        before = await page.evaluate(HEARD)
        microphone = await choose(page, "microphone")
        assert microphone != before
        await page.wait_for(f"{HEARD} === '{microphone}'")
        loudspeaker = await choose(page, "loudspeaker")
        await page.wait_for(f"sinks.at(-1) === '{loudspeaker}'")
        assert await page.evaluate("document.body.dataset.state") == "active"
        await page.evaluate("document.getElementById('call').click()")
        await page.goto(f"{gateway.url}/?again")
        await page.wait_for(READY)
        for kind, device in (("microphone", microphone), ("loudspeaker", loudspeaker)):
            assert await page.evaluate(f"document.getElementById('{kind}').value") == device
