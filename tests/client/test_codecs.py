"""A caller of ours can speak any codec that is installed."""

from pathlib import Path

import trio
import trio.testing
from glottis import AudioFrame
from glottis.client.calling import CallRequest
from glottis_dvi4 import DVI4
from support.gateway import CONFIG
from support.memory import open_memory_exchange
from support.memory_call import open_memory_call
from support.patience import PATIENCE
from support.phone import TONE

OLD_TIMES = (
    CONFIG[: CONFIG.index("[campaigns.")]
    + """
[media]
codecs = ["PCMU", "DVI4"]

[campaigns.echo]
agent = "echo"
sample_rate = 8000
"""
)


async def test_codec_that_requests_have_no_name_for_is_agreed_on_by_the_offer(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    request = CallRequest("http://gateway", (DVI4,), "echo", 8000, "DVI4")
    async with open_memory_exchange(tmp_path, OLD_TIMES) as exchange, open_memory_call(exchange, request) as call:
        with trio.fail_after(PATIENCE):
            await call.connected.wait()
            for _ in range(50):
                await call.say(AudioFrame(TONE, 8000))
            async for frame in call.audio:
                if max(frame.pcm) > 0:
                    break
        call.hang_up()
