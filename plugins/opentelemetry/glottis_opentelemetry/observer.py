"""Follows one session, and makes spans of it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from glottis import (
    CallEvent,
    CallInfo,
    CodecSpec,
    ConnectionChanged,
    EncodedPacket,
    MediaNegotiated,
    Milestone,
    OtherEvent,
    StateChanged,
    Statistics,
    Tell,
)

from glottis_opentelemetry.calls import TracedCall
from glottis_opentelemetry.waterfall import AgentTurn, Turns, agent_turn

if TYPE_CHECKING:
    from glottis_opentelemetry.spans import CallSpan

EVENT: Final = "waterfall"
"""By which the client is told of a turn."""
MAX_REASON: Final = 120


class SessionTrace:
    """A ``SessionObserver``. ``clock`` tells seconds, and ``statistics`` what was counted so far."""

    def __init__(
        self,
        call: TracedCall,
        span: "CallSpan",
        *,
        clock: Callable[[], float],
        statistics: Callable[[], Statistics],
        tell: Tell | None,
    ) -> None:
        self._call = call
        self._span = span
        self._clock = clock
        self._created_at = clock()
        self._statistics = statistics
        self._tell = tell
        self._turns = Turns()

    def event(self, event: CallEvent) -> None:
        """See ``SessionObserver``."""
        match event:
            case StateChanged(state="connecting"):
                self._reach("websocket")
            case StateChanged(state="active"):
                self._reach("active")
            case ConnectionChanged(state="connected"):
                self._reach("secured")
            case MediaNegotiated(codec=codec):
                self._call.codec = codec
            case OtherEvent(name="turn", data=data):
                self._take_turn(data)
            case _:
                pass

    def reached(self, milestone: Milestone) -> None:
        """See ``SessionObserver``."""
        self._reach(milestone)

    def packet_received(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """See ``SessionObserver``."""
        if "first_audio_heard" not in self._call.milestones:
            self._reach("first_audio_heard")

    def packet_sent(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        """See ``SessionObserver``."""
        if "first_audio_sent" not in self._call.milestones:
            self._reach("first_audio_sent")
        now = self._clock()
        if (turn := self._turns.sent(now)) is not None:
            self._finish(turn, now)

    def ended(self, reason: str, statistics: Statistics) -> None:
        """See ``SessionObserver``."""
        call = self._call
        call.reason = told_reason(reason)
        call.ended = self._clock() - self._created_at
        self._span.end(call)

    def _reach(self, milestone: str) -> None:
        """Only the first time counts."""
        if milestone not in self._call.milestones:
            after = self._call.milestones[milestone] = self._clock() - self._created_at
            self._span.reached(milestone, after)

    def _take_turn(self, data: Mapping[str, Any]) -> None:
        turn = agent_turn(data, self._clock())
        if turn is not None and (sent_at := self._turns.told(turn)) is not None:
            self._finish(turn, sent_at)

    def _finish(self, turn: AgentTurn, sent_at: float) -> None:
        waterfall = self._turns.finish(turn, sent_at, self._statistics())
        self._call.add(waterfall)
        self._span.turn(waterfall, waterfall.ended_at - self._created_at)
        if self._tell is not None:
            self._tell(EVENT, waterfall.to_json())


def traced_call(info: CallInfo, now: float) -> TracedCall:
    """A new one; ``now`` is in seconds since 1970."""
    return TracedCall(info.session_id, info.campaign_id, info.transport, now)


def told_reason(reason: str) -> str:
    """Without what comes after its first colon: the client's own words, or addresses."""
    return reason.partition(":")[0][:MAX_REASON]
