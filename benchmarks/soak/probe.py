"""The plugin of the gateway under test: agents that speak without being spoken to, and a count of its tasks.

The signal ``SIGUSR1`` makes the process write how many tasks it has to the file that the environment names.
"""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import trio
from glottis import Agent, AgentSpec, Call, EncodedPacket, hookimpl

NAME = "sounding"
READING = "reading"
COUNT_FILE = "SOAK_COUNT"
"""The environment's name for the file."""
SAMPLES = 160


async def sound(call: Call) -> None:
    """Say the same for ever, and read nothing: gaps between its packets are the gateway's own."""
    packet = EncodedPacket(b"\x10\x90" * (SAMPLES // 2), "PCMU", 8000, 0, SAMPLES)
    while True:
        await call.say(packet)


def create(settings: object) -> Agent:
    """The agent; made at the start, in the main thread."""
    signal.signal(signal.SIGUSR1, _count)
    return sound


def create_reading(settings: object) -> Agent:
    """An agent that reads speech out in Opus, and hears its caller meanwhile: its packets are the gateway's own."""
    from benchmarks.speech import endless, speech_packets  # late: it takes numpy

    create(settings)
    payloads = speech_packets()

    async def read(call: Call) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hear, call)
            for packet in endless(payloads):
                await call.say(packet)

    return read


async def _hear(call: Call) -> None:
    async for _ in call.audio:
        pass


def _count(signum: int, frame: FrameType | None) -> None:
    path = Path(os.environ[COUNT_FILE])
    part = path.with_suffix(".part")
    part.write_text(str(trio.lowlevel.current_statistics().tasks_living))
    part.rename(path)


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agents ``sounding`` and ``reading``."""
    return [AgentSpec(NAME, create, sample_rate=8000), AgentSpec(READING, create_reading, sample_rate=48000)]
