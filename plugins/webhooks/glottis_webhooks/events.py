"""What is told of a session, and when."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import trio
from glottis import CallEvent, CallInfo, OtherEvent, StateChanged, Statistics

RECORDING: Final = "recording"
"""The event by which the extension ``recorder`` tells what becomes of a recording."""
MAX_RECORDING: Final = 4096
"""Bytes of what such an event tells: anybody may send one of this name."""

Put = Callable[[bytes], None]


class SessionEvents:
    """A ``SessionObserver``. ``put`` is given the body of each event; ``now`` tells seconds since 1970.

    ``clock`` tells seconds for which it does not matter when somebody sets the time.
    """

    def __init__(
        self,
        call_info: CallInfo,
        events: Collection[str],
        put: Put,
        now: Callable[[], float],
        clock: Callable[[], float] = trio.current_time,
        *,
        statistics: bool,
    ) -> None:
        self._info = call_info
        self._events = events
        self._put = put
        self._now = now
        self._wants_statistics = statistics
        self._clock = clock
        self._created_at = clock()
        self._recording: Mapping[str, Any] | None = None
        self._tell("session.created")

    def event(self, event: CallEvent) -> None:
        """See ``SessionObserver``."""
        if isinstance(event, StateChanged) and event.state == "active":
            self._tell("session.active", setupSeconds=round(self._clock() - self._created_at, 3))
        elif isinstance(event, OtherEvent) and event.name == RECORDING:
            told = {**(self._recording or {}), **event.data}
            if len(msgspec.json.encode(told)) <= MAX_RECORDING:
                self._recording = told

    def ended(self, reason: str, statistics: Statistics) -> None:
        """See ``SessionObserver``."""
        data: dict[str, Any] = {"reason": reason, "seconds": round(self._clock() - self._created_at, 3)}
        if self._recording is not None:
            data["recording"] = self._recording
        if self._wants_statistics:
            data["statistics"] = statistics.to_json()
        self._tell("session.ended", **data)

    def _tell(self, kind: str, **data: Any) -> None:
        if kind not in self._events:
            return
        info, moment = self._info, datetime.fromtimestamp(self._now(), UTC)
        about = {
            "sessionId": info.session_id,
            "campaignId": info.campaign_id,
            "businessId": info.business_id,
            "clientIdentifier": info.client_identifier,
            "principal": info.principal.name,
            "transport": info.transport,
        }
        document = {"type": kind, "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        self._put(msgspec.json.encode({**document, "data": {**about, **data}}))
