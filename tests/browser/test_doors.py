"""The pages of ``docs/doors.md`` in real browsers: clients that know nothing of glottis have a call."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from support.browser import Page
from support.gateway import CONFIG, open_test_gateway
from support.markdown import Document
from support.patience import PROCESS_PATIENCE
from support.phone import eventually

WITH_CAMERA = """
async function withCamera(microphone) {
    const [picture] = (await navigator.mediaDevices.getUserMedia({ video: true })).getTracks();
    microphone.addTrack(picture);
    return Object.assign(microphone, { getTracks: () => [picture, ...microphone.getAudioTracks()] });
}
"""
"""Offers the picture first, whose section is then the one that ICE begins with."""

PAGE = Document(Path(__file__).parents[2] / "docs" / "doors.md")


@pytest.mark.parametrize(
    ("script", "routes", "call"),
    [
        ("whip.js", "whip", "callByWhip('URL/whip/echo', microphone)"),
        ("whip.js", "whip", "callByWhip('URL/whip/echo', await withCamera(microphone))"),
        ("widget.js", "iqra-widget", "callLikeTheWidget('URL', 'echo', microphone)"),
    ],
)
async def test_the_documented_page_hears_its_agent_and_hangs_up(
    script: str, routes: str, call: str, browser: Callable[[], AbstractAsyncContextManager[Page]], tmp_path: Path
) -> None:
    assert script in PAGE.write_files(tmp_path)
    config = f'{CONFIG}\n[routes]\nenabled = ["{routes}"]\n'
    async with open_test_gateway(tmp_path, config) as gateway, browser() as page:
        await page.goto(f"{gateway.url}/healthz")
        await page.run_script((tmp_path / script).read_text() + WITH_CAMERA)
        with trio.fail_after(PROCESS_PATIENCE):
            await page.evaluate(
                f"""(async () => {{
                    const microphone = await navigator.mediaDevices.getUserMedia({{ audio: true }});
                    globalThis.call = await {call.replace("URL", gateway.url)};
                    globalThis.ear = Object.assign(new Audio(), {{ srcObject: call.stream, autoplay: true }});
                }})()"""
            )
            heard = """[...(await call.pc.getStats()).values()].some(
                ({ type, totalAudioEnergy }) => type === 'inbound-rtp' && totalAudioEnergy > 0)"""
            while not await page.evaluate(f"(async () => {heard})()"):
                pass
            await page.evaluate("call.hangUp()")
        await eventually(lambda: not len(gateway.sessions))
        await gateway.stop(grace=0)
