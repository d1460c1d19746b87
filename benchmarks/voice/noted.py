"""What a call over loopback was like: when each packet came to the gateway, and in which media tick each was heard."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio
from glottis import AgentSpec, AudioFrame, Call, hookimpl
from glottis.contracts.audio import FRAME_SECONDS
from glottis.lab.models import is_media
from glottis.lab.networks import Network, carriers
from glottis.lab.trace import Trace
from glottis.media.ring import SLOT, SLOTS

from benchmarks.voice.line import Line

Heard = list[tuple[float, AudioFrame]]
_EARLY: Final = 1e-6
"""Seconds: a tick is no earlier than its slot for being rounded."""


class NotedLine(Line):
    """Knows when each packet of the caller's voice has come out of it: at the gateway's socket."""

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__(*carriers(network, seed))
        self._arrivals: list[float | None] = []
        self._has_begun = False

    def begin(self) -> None:
        """See ``Line``."""
        super().begin()
        self._has_begun = True

    def carry_up(self, data: bytes, deliver: Callable[[], None]) -> None:
        """From the caller."""
        if self._has_begun and is_media(data):
            number = len(self._arrivals)
            self._arrivals.append(None)
            super().carry_up(data, lambda: self._note(number, deliver))
        else:
            super().carry_up(data, deliver)

    def trace(self, due_at: float) -> Trace:
        """What the network did, and the machine, since the moment at which the first packet was due.

        The delay is from when each was due, not from when it was sent: to be late in sending is the machine's part.
        """
        sent = tuple(number * FRAME_SECONDS for number in range(len(self._arrivals)))
        pairs = zip(self._arrivals, sent, strict=True)
        delays = (None if at is None else max(0.0, at - due_at - due) for at, due in pairs)
        return Trace(sent=sent, delays=tuple(delays))

    def _note(self, number: int, deliver: Callable[[], None]) -> None:
        if self._arrivals[number] is None:  # of two copies the first one counts
            self._arrivals[number] = trio.current_time()
        deliver()


class Listener:
    """A plugin with an agent that keeps what it hears, and when."""

    def __init__(self) -> None:
        self.heard: Heard = []

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        """The agent ``listener``."""
        return [AgentSpec("listener", lambda settings, campaign: self._listen)]

    async def _listen(self, call: Call) -> None:
        async for frame in call.audio:
            self.heard.append((trio.current_time(), frame))


@dataclass(frozen=True, slots=True)
class Ticks:
    """Frames at the moments at which the ticks of the wheel were due in which they were heard."""

    due: Heard
    lateness: Sequence[float]
    """Seconds by which each was heard later."""
    missed: int
    """Ticks in which nothing was heard, because the machine had been away for that long."""


def in_ticks(heard: Heard) -> Ticks:
    """Put each frame where it was due.

    One that is heard 3 ms late is followed by one that is not. In a row, as a loudspeaker plays them, all that follows
    would be 3 ms late; that is the machine's part, and the lab has none of it.
    """
    phase = Counter(math.floor((at + _EARLY) / SLOT) % SLOTS for at, _ in heard).most_common(1)[0][0] * SLOT
    turns = [math.floor((at + _EARLY - phase) / FRAME_SECONDS) for at, _ in heard]
    due = [turn * FRAME_SECONDS + phase for turn in turns]
    return Ticks(
        [(moment, frame) for moment, (_, frame) in zip(due, heard, strict=True)],
        [max(0.0, at - moment) for moment, (at, _) in zip(due, heard, strict=True)],
        max(0, turns[-1] - turns[0] + 1 - len(set(turns))),
    )
