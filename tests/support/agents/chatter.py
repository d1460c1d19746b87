"""An agent that speaks all the time, whether it hears anything or not."""

import math

from glottis import AudioFrame, Call


async def chatter(call: Call) -> None:
    """One tone."""
    rate = call.sample_rate
    second = b"".join(
        round(8000 * math.sin(math.tau * 440 * sample / rate)).to_bytes(2, "little", signed=True)
        for sample in range(rate)
    )
    while True:
        await call.say(AudioFrame(second, rate))
