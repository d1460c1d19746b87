"""The published description's own client, in Chromium, with every codec."""

import base64
import json
from pathlib import Path

import pytest
import trio
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.chromium import Page

from glottis.server.gateway import Gateway

CLIENT = Path(__file__).with_name("description_client.js").read_text()
RAW_MICROPHONE = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}


@pytest.mark.parametrize(
    ("codec", "mime_type", "likeness"),
    [
        ("OPUS", "audio/opus", 0.75),
        ("G722", "audio/G722", 0.9),
        ("PCMU", "audio/PCMU", 0.85),
        ("PCMA", "audio/PCMA", 0.85),
    ],
)
async def test_caller_hears_what_was_spoken(gateway: Gateway, page: Page, codec: str, mime_type: str, likeness: float):
    with trio.fail_after(60):
        await page.goto(f"{gateway.url}/healthz")
        await page.evaluate(
            CLIENT + "\nglobalThis.startDescriptionClient = startDescriptionClient; globalThis.record = record; 0"
        )
        options = {
            "constraints": RAW_MICROPHONE,
            "audioConfig": {"inputCodec": codec, "outputCodec": codec, "sampleRate": 48000},
        }
        await page.evaluate(
            f"(async () => {{ globalThis.client = await startDescriptionClient({json.dumps(options)}) }})()"
        )
        await page.wait_for("client.pc.connectionState === 'connected' && client.log.streams.length")
        heard = from_pcm(base64.b64decode(await page.evaluate("record(client.log.streams[0], 4, 16000)")))
        used = await page.evaluate(
            "(async () => [...(await client.pc.getStats()).values()].filter((s) => s.type === 'codec').map((s) => s.mimeType))()"
        )
        log = await page.evaluate(
            "({states: client.log.states, messages: client.log.messages, errors: client.log.errors})"
        )
    played, rate = read_wav(SPEECH)
    assert similarity(heard, played, rate) > likeness
    assert set(used) == {mime_type}
    assert log["errors"] == []
    assert log["messages"][0]["type"] == "answer"
