"""An agent that speaks all the time, whether it hears anything or not, and tells when it hears somebody again."""

import math
import time

from glottis import AudioFrame, Call

LOUD = 3000
"""Of a sample of that tone, and of none that a codec makes up where packets are lost."""
PAUSE = 0.5
"""Seconds, of a caller that is a tone."""


async def chatter(call: Call) -> None:
    """One tone. The event ``heard`` has the time of the system's clock."""
    call.nursery.start_soon(_speak, call)
    heard_at = 0.0
    async for frame in call.audio:
        if max(map(abs, memoryview(frame.pcm).cast("h"))) > LOUD:
            now = time.time()
            if now - heard_at > PAUSE:
                await call.send_event("heard", {"at": now})
            heard_at = now


async def _speak(call: Call) -> None:
    rate = call.sample_rate
    second = b"".join(
        round(8000 * math.sin(math.tau * 440 * sample / rate)).to_bytes(2, "little", signed=True)
        for sample in range(rate)
    )
    while True:
        await call.say(AudioFrame(second, rate))
