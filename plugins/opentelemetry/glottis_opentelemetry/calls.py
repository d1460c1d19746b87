"""What is known of a call: how far it has come and when, and how long its caller has waited for answers."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from glottis_opentelemetry.waterfall import Waterfall

MAX_TURNS: Final = 50
"""Of a call that the routes know: the last ones."""


@dataclass(slots=True)
class TracedCall:
    """Times are seconds from its creation."""

    session_id: str
    campaign_id: str
    transport: str
    created_at: float
    """In seconds since 1970."""
    trace_id: str = ""
    codec: str = ""
    milestones: dict[str, float] = field(default_factory=dict)
    turns: deque[msgspec.Raw] = field(default_factory=lambda: deque(maxlen=MAX_TURNS))
    """As JSON: many are told at once."""
    turn_count: int = 0
    reason: str = ""
    ended: float | None = None

    def add(self, turn: Waterfall) -> None:
        """One more."""
        self.turn_count += 1
        self.turns.append(msgspec.Raw(msgspec.json.encode(turn.to_json())))

    def summary(self) -> dict[str, Any]:
        """For operators, without the turns."""
        return {
            "sessionId": self.session_id,
            "campaignId": self.campaign_id,
            "transport": self.transport,
            "codec": self.codec,
            "traceId": self.trace_id,
            "createdAt": round(self.created_at, 3),
            "milestonesMs": {name: round(1000 * at, 1) for name, at in self.milestones.items()},
            "turnCount": self.turn_count,
            "endedAfter": None if self.ended is None else round(self.ended, 3),
            "reason": self.reason,
        }

    def whole(self) -> dict[str, Any]:
        """The same with the turns."""
        return {**self.summary(), "turns": list(self.turns)}


class Calls:
    """The last ones, by their sessions' ids."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: OrderedDict[str, TracedCall] = OrderedDict()

    def add(self, call: TracedCall) -> None:
        """Of those that are too many, the oldest that have ended give way first."""
        self._calls[call.session_id] = call
        while len(self._calls) > self._limit:
            ended = next((name for name, one in self._calls.items() if one.ended is not None), None)
            self._calls.pop(ended if ended is not None else next(iter(self._calls)))

    def find(self, session_id: str) -> TracedCall | None:
        """None if it is not known, or not any more."""
        return self._calls.get(session_id)

    def latest(self) -> list[TracedCall]:
        """The newest first."""
        return [*reversed(self._calls.values())]
