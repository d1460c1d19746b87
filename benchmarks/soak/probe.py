"""The plugin of the gateway under test: an agent that speaks without being spoken to, and a count of its tasks.

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


def _count(signum: int, frame: FrameType | None) -> None:
    path = Path(os.environ[COUNT_FILE])
    part = path.with_suffix(".part")
    part.write_text(str(trio.lowlevel.current_statistics().tasks_living))
    part.rename(path)


@hookimpl
def register_agents() -> Sequence[AgentSpec]:
    """The agent ``sounding``."""
    return [AgentSpec(NAME, create, sample_rate=8000)]
