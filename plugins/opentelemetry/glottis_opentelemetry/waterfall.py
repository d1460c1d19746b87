"""What a caller has waited for in a turn, from the last word to the first sound of the answer.

The agent tells what it knows by the event ``turn`` (docs/contract.md): from the moment at which the gateway heard the
last word to that at which the agent had the first sound of its answer. Before it are the way to the gateway and the
jitter buffer, after it the agent's queue with the encoder, and the way back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from glottis import Statistics

MAX_PARTS: Final = 12
"""Of an agent's; what is beyond, or has another name than ``_NAME``, is a part of ``agent``."""
MOST_MS: Final = 600_000
"""Of a turn: an agent that takes longer than ten minutes is mistaken."""
OWN_PARTS: Final = frozenset({"network_in", "buffer", "detector", "agent", "queue", "network_out"})
PAUSE: Final = 0.1
"""Seconds without a packet, after which the next one begins to be heard."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Part(NamedTuple):
    """One thing after the other that a turn consists of."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Of one turn. ``ended_at`` is when its first sound reached the caller, by the clock of the call."""

    ended_at: float
    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(part.seconds for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """For clients and operators, in milliseconds."""
        parts = {part.name: round(part.seconds * 1000, 1) for part in self.parts}
        return {"totalMs": round(self.seconds * 1000, 1), "parts": parts}


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """What an agent has told."""

    told_at: float
    """About when it had the first sound of its answer."""
    silence: float
    """Seconds from the last word until the caller was taken to have finished; none where it was written."""
    parts: tuple[Part, ...]

    @property
    def began_at(self) -> float:
        """When the gateway heard the last word."""
        return self.told_at - self.silence - sum(part.seconds for part in self.parts)


def agent_turn(data: Mapping[str, Any], now: float) -> AgentTurn | None:
    """Of an event ``turn``; None if it is none: anybody may send what is called so."""
    latency = _milliseconds(data.get("latencyMs"))
    told = data.get("parts")
    if latency is None or not isinstance(told, Mapping):
        return None
    parts: dict[str, float] = {}
    for name, value in told.items():
        if (spent := _milliseconds(value)) is None:
            return None
        is_fit = len(parts) < MAX_PARTS and isinstance(name, str) and name not in OWN_PARTS and _NAME.fullmatch(name)
        known = name if is_fit else "agent"
        parts[known] = parts.get(known, 0.0) + spent / 1000
    silence = max(0.0, latency / 1000 - sum(parts.values()))
    return AgentTurn(now, silence, tuple(Part(name, seconds) for name, seconds in parts.items()))


def _milliseconds(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= MOST_MS else None  # type: ignore[operator,arg-type]


class Turns:
    """Of one call: puts together what the agent tells, what is sent, and what is counted of the call."""

    def __init__(self) -> None:
        self._told: AgentTurn | None = None
        """An answer of which nothing was sent yet."""
        self._sent_at = float("-inf")
        self._began_at = float("-inf")
        """When what is being heard has begun."""
        self._counted = (0.0, 0)
        """Seconds in the jitter buffer and samples, up to the last turn."""

    def sent(self, now: float) -> AgentTurn | None:
        """A packet leaves: whose first one it is, if it is any turn's."""
        if now - self._sent_at > PAUSE:
            self._began_at = now
        self._sent_at = now
        told, self._told = self._told, None
        return told

    def told(self, turn: AgentTurn) -> float | None:
        """When its first packet has left, if it has: the agent may be ahead of its events."""
        if self._began_at >= turn.began_at and turn.told_at - self._sent_at <= PAUSE:
            return self._began_at
        self._told = turn
        return None

    def finish(self, turn: AgentTurn, sent_at: float, statistics: Statistics) -> Waterfall:
        """All of it. What the caller's own device adds is not known here."""
        one_way = _round_trip(statistics) / 2
        before = [Part("network_in", one_way)]
        buffered = self._buffered(statistics)
        if turn.silence:
            before += [Part("buffer", buffered), Part("detector", turn.silence)]
        queue = Part("queue", max(0.0, sent_at - turn.told_at))
        return Waterfall(sent_at + one_way, (*before, *turn.parts, queue, Part("network_out", one_way)))

    def _buffered(self, statistics: Statistics) -> float:
        """Seconds that the caller's voice has spent in the jitter buffer since the last turn, on average."""
        inbound = statistics.inbound_rtp
        if inbound is None or not inbound.jitter_buffer_emitted_count:
            return 0.0
        seconds, samples = inbound.jitter_buffer_delay, inbound.jitter_buffer_emitted_count
        before_seconds, before_samples = self._counted
        self._counted = seconds, samples
        if samples <= before_samples:  # nothing since, or another stream
            return seconds / samples
        return max(0.0, seconds - before_seconds) / (samples - before_samples)


def _round_trip(statistics: Statistics) -> float:
    """In seconds; 0 where it is not known."""
    reported, pair = statistics.remote_inbound_rtp, statistics.candidate_pair
    if reported is not None and reported.round_trip_time is not None:
        return reported.round_trip_time
    return (pair.current_round_trip_time or 0.0) if pair is not None else 0.0
