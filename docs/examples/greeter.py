"""Rings twice, greets the caller by name, and gives every text back in capitals."""

import math
from array import array

from glottis import AudioFrame, Call, TextMessage


def tone(frequency: float, seconds: float, sample_rate: int) -> AudioFrame:
    """A sine of a fifth of full scale; ``frequency`` is in hertz."""
    step = 2 * math.pi * frequency / sample_rate
    samples = array("h", (round(6500 * math.sin(step * i)) for i in range(round(seconds * sample_rate))))
    return AudioFrame(samples.tobytes(), sample_rate)


async def greeter(call: Call) -> None:
    """The agent."""
    name = call.info.dynamic_variables.get("name") or call.info.client_identifier or "stranger"
    await call.say(tone(660, 0.2, call.sample_rate))
    await call.say(tone(880, 0.4, call.sample_rate))
    await call.send_text(f"Good day, {name}!")
    async for message in call.messages:
        if isinstance(message, TextMessage):
            await call.send_text(message.text.upper(), message.channel)
