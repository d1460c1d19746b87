"""Programs that send to WHIP endpoints, pictures among it: an agent hears their voice."""

import json
from pathlib import Path

import numpy as np
import trio
from glottis import Call
from support.audio import best_similarity, from_pcm
from support.gateway import open_test_gateway
from support.patience import PROCESS_PATIENCE
from support.plugins import TestPlugin
from support.stacks import CALLERS, RATE, Speech

SECONDS = 4
HEARD_RATE = 16000


async def test_a_publisher_like_obs_is_heard_without_its_picture(tmp_path: Path) -> None:
    speech, heard = Speech.write(tmp_path), bytearray()

    async def listen(call: Call) -> None:
        async for frame in call.audio:
            heard.extend(frame.pcm)

    plugin = TestPlugin(test=listen)
    async with open_test_gateway(tmp_path, f'{plugin.config()}\n[routes]\nenabled = ["whip"]\n', [plugin]) as gateway:
        order = {"endpoint": f"{gateway.url}/whip/test", "seconds": SECONDS, "packets": str(speech.packets)}
        with trio.fail_after(PROCESS_PATIENCE):
            done = await trio.run_process(
                ["node", CALLERS / "npm" / "publish.js", json.dumps(order)], capture_stdout=True
            )
        assert json.loads(done.stdout) == {"picture": False, "ended": 200}
        assert not len(gateway.sessions)
    samples = from_pcm(bytes(heard))
    at_rate = np.interp(
        np.arange(len(samples) * RATE // HEARD_RATE) * HEARD_RATE / RATE, np.arange(len(samples)), samples
    )
    assert best_similarity(at_rate, speech.samples, RATE) > 0.65
