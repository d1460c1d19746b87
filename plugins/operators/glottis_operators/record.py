"""What is kept of one call: who it is of, how it fares, what has happened in it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec
import trio
from glottis import (
    CallEvent,
    CallInfo,
    ConnectionChanged,
    MediaNegotiated,
    Milestone,
    OtherEvent,
    StateChanged,
    Statistics,
    StatisticsReported,
)

from glottis_operators.samples import NAMES, Sample, Samples, rounded, sample
from glottis_operators.settings import OperatorsConfig

MAX_EVENTS: Final = 200
"""Of a call; the oldest give way."""
MAX_WORDS: Final = 200
"""Characters of what is told of an event, or of a member of metadata."""
SPARK: Final = 24
"""Estimates of the mean opinion score that the table draws: two minutes of them."""
OFTEN: Final = 0.9
"""Seconds between samples of a call that somebody looks at."""
SPAN: Final = 4.5
"""Seconds that a sample is of, at least: less of a call says little about it, whoever looks."""

Clock = Callable[[], float]


class CallRecord:
    """A ``SessionObserver``. ``ended`` in the end is called with the record itself."""

    def __init__(
        self,
        info: CallInfo,
        statistics: Callable[[], Statistics],
        settings: OperatorsConfig,
        over: Callable[["CallRecord"], None],
        clock: Clock = trio.current_time,
    ) -> None:
        self.info = info
        self.state = "created"
        self.reason = ""
        """Why it has ended."""
        self.length: float | None = None
        """Seconds that it has lasted, once it has ended."""
        self.setup: float | None = None
        """Seconds until there was media."""
        self.created = time.time()
        self.dropped_events = 0
        self.latest = Sample(0.0)
        self._settings = settings
        self._over = over
        self._clock = clock
        self._count = statistics
        self._created_at = clock()
        self._counted = deque([(self._created_at, Statistics())])
        """When something was counted, and what: as much as the next sample may begin with, oldest first."""
        self._samples = Samples()
        self._events: deque[tuple[float, str, str]] = deque(maxlen=MAX_EVENTS)
        self._codec = ""
        self._path = ""

    @property
    def session_id(self) -> str:
        """Of the session."""
        return self.info.session_id

    @property
    def age(self) -> float:
        """Seconds since its creation, or from it to its end."""
        return self.length if self.length is not None else self._clock() - self._created_at

    # Told by the gateway

    def event(self, event: CallEvent) -> None:
        """See ``SessionObserver``."""
        match event:
            case StatisticsReported(statistics=statistics):
                self._take(statistics)
                return
            case StateChanged(state=state, reason=reason):
                self.state = state
                if state == "active" and self.setup is None:
                    self.setup = self.age
                self._note(f"state {state}", reason)
            case ConnectionChanged(state=state, reason=reason):
                self._note(f"connection {state}", reason)
            case MediaNegotiated(codec=codec, frame_duration_ms=milliseconds):
                self._codec = f"{codec}, {milliseconds:g} ms"
                self._note("media", self._codec)
            case OtherEvent(name=name, data=data):
                self._note(name, msgspec.json.encode(data).decode() if self._settings.event_data else "")
            case _:
                self._note(event.name, "")

    def reached(self, milestone: Milestone) -> None:
        """See ``SessionObserver``."""
        self._note(milestone.replace("_", " "), "")

    def ended(self, reason: str, statistics: Statistics) -> None:
        """See ``SessionObserver``."""
        self._take(statistics)
        self.length, self.reason, self.state = self.age, reason[:MAX_WORDS], "ended"
        self._count = lambda: statistics
        self._counted.clear()
        self.info = replace(self.info, metadata=self._named_metadata(), dynamic_variables={})
        self._over(self)

    # Asked by operators

    def look(self) -> None:
        """Somebody looks at this call: one more sample, unless there has just been one."""
        if self.length is None and self._clock() - self._counted[-1][0] >= OFTEN:
            self._take(self._count())

    def statistics(self) -> dict[str, Any]:
        """Of now, or of the end."""
        return self._count().to_json()

    def row(self) -> dict[str, Any]:
        """As the table has it."""
        latest = zip(NAMES[1:], map(rounded, self.latest[1:]), strict=True)
        return {
            "id": self.session_id,
            "campaign": self.info.campaign_id,
            "client": self.info.client_identifier or "",
            "principal": self.info.principal.name,
            "host": self.info.client_host,
            "transport": self.info.transport,
            "state": self.state,
            "reason": self.reason,
            "created": self.created,
            "age": round(self.age, 1),
            "setup": self.setup,
            "codec": self._codec,
            "path": self._path,
            "mos": rounded(self.latest.mos),
            "spark": [self._samples.last_of(name, SPARK) for name in ("mosReceived", "mosSent")],
            **{name: value for name, value in latest if value is not None},
        }

    def page(self, since: float) -> dict[str, Any]:
        """All of it, of samples and events those after ``since``: what it said is ``now``, in seconds of its age."""
        return {
            **self.row(),
            "now": self.age,
            "names": NAMES,
            "samples": self._samples.since(since),
            "events": [(round(age, 3), name, words) for age, name, words in self._events if age > since],
            "droppedEvents": self.dropped_events,
            "metadata": self._metadata(),
        }

    def _metadata(self) -> dict[str, str]:
        return {name: _words(value) for name, value in self._named_metadata().items()}

    def _named_metadata(self) -> dict[str, Any]:
        """Without the rest, which may be long."""
        held = self.info.metadata
        return {name: held[name] for name in self._settings.metadata if name in held}

    def _take(self, statistics: Statistics) -> None:
        now = self._clock()
        while len(self._counted) > 1 and now - self._counted[1][0] >= SPAN:
            self._counted.popleft()
        began, before = self._counted[0]
        self._counted.append((now, statistics))
        one = sample(now - self._created_at, now - began, before, statistics)
        if statistics.inbound_rtp is not None or statistics.outbound_rtp is not None:
            self.latest = one
            self._samples.add(one)
        if (pair := statistics.candidate_pair) is not None:
            self._path = f"{pair.local_candidate_type} – {pair.remote_candidate_type}, {pair.protocol}"

    def _note(self, name: str, words: str) -> None:
        self.dropped_events += len(self._events) == MAX_EVENTS
        self._events.append((self.age, name[:MAX_WORDS], words[:MAX_WORDS]))


def _words(value: object) -> str:
    words = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return words[:MAX_WORDS]
