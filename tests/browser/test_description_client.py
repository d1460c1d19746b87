"""The published description's own client, in Chromium, with every codec."""

import base64
import json
from pathlib import Path

import pytest
import trio
from glottis import Call, TextMessage, TypedMessage
from glottis.server.gateway import Gateway
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.browser import Page
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin

CLIENT = Path(__file__).with_name("description_client.js").read_text()
RAW_MICROPHONE = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}


START = "startDescriptionClient(%s).then((started) => { globalThis.client = started; })"
CODECS_USED = """
    client.pc.getStats().then((stats) => [...stats.values()].filter((s) => s.type === 'codec').map((s) => s.mimeType))
"""


async def start(page: Page, gateway: Gateway, audio_config: dict[str, object]) -> None:
    await page.goto(f"{gateway.url}/healthz")
    await page.run_script(CLIENT)
    await page.evaluate(START % json.dumps({"constraints": RAW_MICROPHONE, "audioConfig": audio_config}))


@pytest.mark.parametrize(
    ("codec", "mime_type", "least"),
    [
        ("OPUS", "audio/opus", 0.75),  # Opus keeps the sound, not the waveform
        ("G722", "audio/G722", 0.9),
        ("PCMU", "audio/PCMU", 0.85),
        ("PCMA", "audio/PCMA", 0.85),
    ],
)
async def test_caller_hears_what_was_spoken(
    gateway: Gateway, chromium_page: Page, codec: str, mime_type: str, least: float
) -> None:
    audio = {"inputCodec": codec, "outputCodec": codec, "sampleRate": 48000}
    page = chromium_page
    with trio.fail_after(PROCESS_PATIENCE):
        await start(page, gateway, audio)
        await page.wait_for("client.pc.connectionState === 'connected' && client.log.streams.length")
        played, rate = read_wav(SPEECH)
        likeness = 0.0
        while likeness <= least:  # a busy machine stutters, which passes
            heard = from_pcm(base64.b64decode(await page.evaluate("record(client.log.streams[0], 3, 16000)")))
            likeness = similarity(heard, played, rate)
        used = await page.evaluate(CODECS_USED)
        messages, errors = await page.evaluate("[client.log.messages, client.log.errors]")
    assert set(used) == {mime_type}
    assert errors == []
    assert messages[0]["type"] == "answer"


async def test_closing_the_websocket_hangs_up(gateway: Gateway, chromium_page: Page) -> None:
    with trio.fail_after(PROCESS_PATIENCE):
        await start(chromium_page, gateway, {"inputCodec": "OPUS", "outputCodec": "OPUS", "sampleRate": 48000})
        await chromium_page.wait_for("client.pc.connectionState === 'connected'")
        await chromium_page.evaluate("client.ws.close()")
        await eventually(lambda: len(gateway.sessions) == 0)
        await chromium_page.wait_for("client.pc.connectionState === 'closed' || client.pc.sctp.state === 'closed'")


async def test_chat_and_metadata_reach_the_agent(chromium_page: Page, tmp_path: Path) -> None:
    messages, info = [], []

    async def reader(call: Call) -> None:
        async for message in call.messages:
            messages.append(message)
            info.append(call.info)

    plugin = TestPlugin(reader=reader)
    config = plugin.config().replace('campaign-abc]\nagent = "echo"', 'campaign-abc]\nagent = "reader"')
    metadata = '{"type":"metadata","userId":"user-123"}'
    with trio.fail_after(PROCESS_PATIENCE):
        async with open_test_gateway(tmp_path, config, [plugin]) as gateway:
            await start(chromium_page, gateway, {"inputCodec": "OPUS", "outputCodec": "OPUS", "sampleRate": 48000})
            await chromium_page.wait_for("client.log.chat.length")
            assert await chromium_page.evaluate("client.log.chat") == ["Backend connected"]
            await chromium_page.evaluate(
                "client.dataChannel.send(JSON.stringify({ type: 'metadata', userId: 'user-123' }))"
            )
            await eventually(lambda: len(messages) == 2)
            await gateway.stop(grace=0)
    assert messages[0] == TextMessage("Hello from client", "chat")
    assert messages[1] == TypedMessage("metadata", json.loads(metadata), metadata, "chat")
    assert info[1].metadata == {"userId": "user-123"}
