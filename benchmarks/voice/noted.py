"""What a call over loopback was like: when each packet came to the gateway, and in which media tick each was heard."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import trio
from glottis import AgentSpec, AudioFrame, Call, hookimpl
from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.extensions import Incoming
from glottis.lab.models import is_media
from glottis.lab.networks import Network, carriers
from glottis.lab.trace import Trace
from glottis.media.ring import SLOT, SLOTS

from benchmarks.voice.line import Line

Heard = list[tuple[float, AudioFrame]]
_EARLY: Final = 1e-6
"""Seconds: a tick is no earlier than its slot for being rounded."""


class NotedLine(Line):
    """Knows which packets of the caller's voice were sent: in order, their sequence numbers and RTP timestamps."""

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__(*carriers(network, seed))
        self.sent: list[tuple[int, int]] = []
        self._has_begun = False

    def begin(self) -> None:
        """See ``Line``."""
        super().begin()
        self._has_begun = True

    def carry_up(self, data: bytes, deliver: Callable[[], None]) -> None:
        """From the caller."""
        if self._has_begun and is_media(data):
            self.sent.append((sequence_number_of(data), int.from_bytes(data[4:8])))
        super().carry_up(data, deliver)


class Listener:
    """A plugin with an agent that keeps what it hears, and when; and when the engines got each packet of it."""

    def __init__(self) -> None:
        self.heard: Heard = []
        self.arrived: dict[int, float] = {}
        """The first time, by sequence number."""

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        """The agent ``listener``."""
        return [AgentSpec("listener", lambda settings, campaign: self._listen)]

    @hookimpl
    def session_observers(self) -> list[object]:
        """Itself."""
        return [self]

    def incoming(self, kind: Incoming, data: bytes, now: float) -> None:
        """See ``SessionObserver``."""
        if kind == "rtp":
            self.arrived.setdefault(sequence_number_of(data), now)

    async def _listen(self, call: Call) -> None:
        async for frame in call.audio:
            self.heard.append((trio.current_time(), frame))


def trace_of(sent: Sequence[tuple[int, int]], arrived: Mapping[int, float], due_at: float, clock_rate: int) -> Trace:
    """What the network did, and the machine, since the moment at which the first packet was due.

    The delay is from when each was due, not from when it was sent: to be late in sending is the machine's part. It is
    until the engines had it: a gateway reads dense traffic in its turns, up to 5 ms later than it was there. A packet
    is due with its last frame: those of a caller who thinks that the network is congested have two and more.
    """
    first = sent[0][1]
    begins = [((timestamp - first) % 2**32) / clock_rate for _, timestamp in sent]
    due = [0.0, *(end - FRAME_SECONDS for end in begins[2:]), begins[-1]]
    delays = (
        max(0.0, arrived[sequence] - due_at - moment) if sequence in arrived else None
        for (sequence, _), moment in zip(sent, due, strict=True)
    )
    return Trace(sent=tuple(due), delays=tuple(delays))


def sequence_number_of(packet: bytes) -> int:
    """Of RTP or SRTP (RFC 3550 §5.1)."""
    return int.from_bytes(packet[2:4])


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
