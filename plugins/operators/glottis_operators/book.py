"""The calls of a process: those that there are, and those that have ended lately."""

from collections import deque
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

import trio
from glottis import CallInfo, Statistics

from glottis_operators.minute import Minute
from glottis_operators.record import CallRecord, Clock
from glottis_operators.settings import OperatorsConfig

MAX_ENDED: Final = 100
"""Calls that have ended; as many traces are kept by the gateway."""
KEPT: Final = 900.0
"""Seconds from the end of a call until nothing is known of it; as long as its trace is kept."""


class Book:
    """``observe`` begins the record of a call."""

    def __init__(self, clock: Clock = trio.current_time) -> None:
        self._clock = clock
        self._running: WeakValueDictionary[str, CallRecord] = WeakValueDictionary()
        """The gateway keeps them, unless it tells one no more, as an observer that was too slow: then it is none."""
        self._ended: deque[tuple[float, CallRecord]] = deque(maxlen=MAX_ENDED)
        self._created = Minute()

    def observe(self, info: CallInfo, statistics: Callable[[], Statistics], settings: OperatorsConfig) -> CallRecord:
        """A new call."""
        self._created.add(self._clock())
        record = CallRecord(info, statistics, settings, self._end, self._clock)
        self._running[info.session_id] = record
        return record

    def find(self, session_id: str) -> CallRecord | None:
        """The call of this session, though it has ended lately."""
        if (record := self._running.get(session_id)) is not None:
            return record
        return next((one for one in self.ended() if one.session_id == session_id), None)

    def running(self) -> list[CallRecord]:
        """Those that have not ended, the ones that fare worst first."""
        return sorted(self._running.values(), key=lambda record: record.latest.mos)

    def ended(self) -> list[CallRecord]:
        """Those that have, latest first."""
        while self._ended and self._ended[0][0] < self._clock() - KEPT:
            self._ended.popleft()
        return [record for _, record in reversed(self._ended)]

    def created_in_a_minute(self) -> int:
        """How many calls were created in the last one."""
        return self._created.total(self._clock())

    def _end(self, record: CallRecord) -> None:
        if self._running.pop(record.session_id, None) is not None:
            self._ended.append((self._clock(), record))
