"""The page of ``docs/doors.md`` in real browsers: a client of OpenAI's Realtime API talks to an agent of ours."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.http import request
from support.markdown import Document
from support.patience import PROCESS_PATIENCE
from support.phone import eventually

PAGE = Document(Path(__file__).parents[2] / "docs" / "doors.md")
ROUTES = CONFIG + '\n[routes]\nenabled = ["openai-calls"]\n'


async def test_the_documented_page_writes_hears_and_is_answered(
    browser: Callable[[], AbstractAsyncContextManager[Page]], tmp_path: Path
) -> None:
    assert "realtime.js" in PAGE.write_files(tmp_path)
    async with open_test_gateway(tmp_path, ROUTES) as gateway, browser() as page:
        wanted = json.dumps({"session": {"type": "realtime", "model": "echo"}}).encode()
        reply = await request(gateway, "POST", "/v1/realtime/client_secrets", wanted, content_type="application/json")
        key = reply.document["value"]
        await page.goto(f"{gateway.url}/healthz")
        await page.run_script((tmp_path / "realtime.js").read_text())
        with trio.fail_after(PROCESS_PATIENCE):
            await page.evaluate(
                f"""(async () => {{
                    const microphone = await navigator.mediaDevices.getUserMedia({{ audio: true }});
                    globalThis.heard = [];
                    globalThis.call = await talk(
                        "{gateway.url}/v1/realtime/calls", "{key}", microphone, (event) => heard.push(event));
                    call.write("hello");
                }})()"""
            )
            while not await page.evaluate("heard.some(({ type }) => type === 'response.done')"):
                pass
            sounds = """[...(await call.pc.getStats()).values()].some(
                ({ type, totalAudioEnergy }) => type === 'inbound-rtp' && totalAudioEnergy > 0)"""
            while not await page.evaluate(f"(async () => {sounds})()"):
                pass
            events = await page.evaluate("heard")
            assert events[0]["session"]["model"] == "echo"
            (item,) = events[-1]["response"]["output"]
            assert item["content"] == [{"type": "output_text", "text": "hello"}]
            await page.evaluate("call.hangUp()")
        await eventually(lambda: not len(gateway.sessions))
        await gateway.stop(grace=0)
