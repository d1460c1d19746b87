"""Pipecat's own client in browsers, with its SmallWebRTC transport as they are on npm: it talks to an agent of ours."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from glottis import Call, TextMessage, TypedMessage
from support.browser import Page
from support.gateway import open_test_gateway
from support.markdown import Document
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin

ROOT = Path(__file__).parents[2]
NPM = ROOT / "tests" / "interop" / "callers" / "npm"
OpenPage = Callable[[], AbstractAsyncContextManager[Page]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of ``docs/doors.md`` with all that it imports, as a classic script."""
    folder = tmp_path_factory.mktemp("pipecat")
    assert "pipecat.js" in Document(ROOT / "docs" / "doors.md").write_files(folder)
    (folder / "node_modules").symlink_to(NPM / "node_modules")
    made = folder / "bundle.js"
    command = [
        str(NPM / "node_modules" / ".bin" / "esbuild"),
        "pipecat.js",
        "--bundle",
        "--format=iife",
        "--global-name=pipecat",
        f"--outfile={made}",
    ]
    subprocess.run([*command, "--log-level=warning"], cwd=folder, check=True)
    return made.read_text()


async def clerk(call: Call) -> None:
    """Says what it hears, and asks the client's clock before it answers what is written."""
    call.nursery.start_soon(repeat, call)
    async for message in call.messages:
        if isinstance(message, TextMessage) and message.text == "bye":
            call.hang_up("that is all")
        elif isinstance(message, TextMessage):
            await call.send_event("function_call", {"callId": "c1", "name": "clock", "arguments": {"zone": "UTC"}})
        elif isinstance(message, TypedMessage) and message.type == "client-message":
            await call.send_event("server_response", {"id": message.data["id"], "t": "price", "d": "a shilling"})
        elif isinstance(message, TypedMessage):
            text = f"It is {message.data['output']}."
            await call.send_event("agent_state", {"state": "speaking"})
            await call.send_event("transcript", {"role": "agent", "text": text, "final": False})
            await call.send_event("transcript", {"role": "agent", "text": text, "final": True})
            await call.send_event("agent_state", {"state": "listening"})


async def repeat(call: Call) -> None:
    async for frame in call.audio:
        await call.say(frame)


PEERS = """
globalThis.peers = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) { super(configuration); peers.push(this); }
};
"""
LOUDSPEAKER = "AudioContext.prototype.resume = async () => {};"
"""Firefox waits for one that is not there. The client's media manager has it for bots that do not speak WebRTC."""
SOUNDS = """[...(await peers[0].getStats()).values()].some(
    ({ type, totalAudioEnergy }) => type === 'inbound-rtp' && totalAudioEnergy > 0)"""


CAMERA = """(async () => {
    const [camera] = (await navigator.mediaDevices.getUserMedia({ video: true })).getTracks();
    const { mediaManager } = client._transport;
    const own = mediaManager.tracks.bind(mediaManager);
    mediaManager.tracks = () => ({ local: { ...own().local, video: camera } });
})()"""
"""As with a media manager that has one."""


async def reconnect(page: Page) -> None:
    """By the client's own way, which is asked after its agent."""
    await page.evaluate("client._transport.attemptReconnection(true)")
    await page.wait_for("client._transport.dc.readyState === 'open'")
    assert await page.evaluate("client.sendClientRequest('price', {})") == "a shilling"


@pytest.mark.parametrize(
    ("browser_name", "end"), [("chromium", "client.sendText('bye')"), ("firefox", "client.disconnect()")]
)
async def test_the_documented_page_is_answered_and_either_hangs_up(
    browser_name: str, end: str, bundle: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_page: OpenPage = request.getfixturevalue(browser_name)
    plugin = TestPlugin(test=clerk)
    config = f'{plugin.config()}\n[routes]\nenabled = ["pipecat"]\n[routes.settings.pipecat]\ncampaign = "test"\n'
    async with open_test_gateway(tmp_path, config, [plugin]) as gateway, open_page() as page:
        await page.goto(f"{gateway.url}/healthz")
        await page.run_script(PEERS + LOUDSPEAKER + bundle)
        with trio.fail_after(PROCESS_PATIENCE):
            await page.evaluate(
                f"""(async () => {{
                    globalThis.heard = [];
                    const hear = (kind, data) => heard.push([kind, data]);
                    globalThis.client = await pipecat.talk("{gateway.url}/pipecat/start", hear);
                    client.registerFunctionCallHandler("clock", async (call) => `noon in ${{call.arguments.zone}}`);
                    globalThis.price = await client.sendClientRequest("price", {{ of: "tea" }});
                    await client.sendText("What time is it?");
                }})()"""
            )
            await page.wait_for("heard.some(([kind]) => kind === 'stopped')")
            assert await page.evaluate("price") == "a shilling"
            heard = await page.evaluate("heard")
            assert ["said", "It is noon in UTC."] in heard
            while not await page.evaluate(f"(async () => {SOUNDS})()"):
                pass
            assert await page.evaluate("client.state") == "ready"
            await page.evaluate(CAMERA)
            await reconnect(page)  # as when its network is lost
            assert await page.evaluate("peers.length") == 2
            assert len(gateway.sessions) == 1
            first, *others = await page.evaluate("peers[1].getTransceivers().map((one) => one.currentDirection)")
            assert first == "sendrecv"
            assert set(others) <= {None, "stopped"}  # which is what browsers make of a section that is refused
            anew = f'{{ endpoint: "{gateway.url}/pipecat/api/offer" }}'
            lost = f"{{ pc_id: '1-{'x' * 22}', _webrtcRequest: {anew} }}"
            await page.evaluate(f"void Object.assign(client._transport, {lost})")
            await reconnect(page)  # as when the gateway was restarted
            await eventually(lambda: len(gateway.sessions) == 1)
            await page.evaluate(end)
            await page.wait_for("heard.some(([kind]) => kind === 'over')")
            assert await page.evaluate("client.state") == "disconnected"
        await eventually(lambda: not len(gateway.sessions))
        await gateway.stop(grace=0)
