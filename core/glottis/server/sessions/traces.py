"""The trace of each session: what happened and was decided, for the person who asks why a call has failed.

A trace is bounded in count and bytes, and nothing is written to it for a packet. That of an ended session is kept for
a while, as it is asked for afterwards.
"""

import logging
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from glottis.contracts.info import CallInfo
from glottis.contracts.notes import TOPICS, TRACE_LOGGER, Topic
from glottis.contracts.statistics import Statistics
from glottis.peer import Connectivity

MAX_FIRST: Final = 100
"""Notes from the beginning, which a failed call consists of."""
MAX_LAST: Final = 100
"""Those after them; of more, the oldest give way: what was last is asked for."""
MAX_SENTENCE: Final = 300
"""Characters; what comes from clients may be longer."""
MAX_ENDED: Final = 100
"""Ended sessions whose traces are kept: 6 MB, were each of them full."""
KEPT: Final = 900.0
"""Seconds from the end of a session to that of its trace."""

_LIVE: Final = {topic: logging.getLogger(f"{TRACE_LOGGER}.{topic}") for topic in TOPICS}
"""By which ``log.verbose`` prints notes as they are made."""


class Entry(NamedTuple):
    """A note; ``moment`` is in seconds from the creation of the session."""

    moment: float
    topic: Topic
    sentence: str

    def __str__(self) -> str:
        return f"{self.moment:9.3f}  {self.topic:7}  {self.sentence}"


class Outcome(msgspec.Struct, frozen=True):
    """How far the session has come, at its end or while it lasts."""

    state: str
    """As clients are told it (CONTRACT §2)."""
    reason: str
    """Why it has ended; empty while it lasts."""
    client_came: bool
    media_flowed: bool
    connectivity: Connectivity | None
    """None where there is no connection of the media's own."""


class Trace:
    """Of one session, created at ``created_at``, whose clock is that of the notes."""

    __slots__ = (
        "_created_at",
        "_first",
        "_last",
        "campaign_id",
        "kept_from_beginning",
        "left_out",
        "outcome",
        "principal",
        "session_id",
        "statistics",
    )

    def __init__(self, info: CallInfo, created_at: float) -> None:
        self.session_id = info.session_id
        self.campaign_id = info.campaign_id
        self.principal = info.principal.name
        """Who may read it: whoever was given the session."""
        self.outcome: Outcome | None = None
        """Set at the end."""
        self.statistics: Statistics | None = None
        """The same."""
        self.left_out = 0
        """Notes that have given way."""
        self.kept_from_beginning = MAX_FIRST
        """After so many, those are missing."""
        self._created_at = created_at
        self._first: list[Entry] = []
        self._last: deque[Entry] | None = None

    def __iter__(self) -> Iterator[Entry]:
        yield from self._first
        yield from self._last or ()

    def note(self, topic: Topic, sentence: str, now: float) -> None:
        """One more. What the client has a hand in may say anything, and is made one printable line."""
        entry = Entry(now - self._created_at, topic, _line(sentence))
        live = _LIVE[topic]
        if live.isEnabledFor(logging.DEBUG):
            live.debug("session %s: %s", self.session_id, entry.sentence)
        if len(self._first) < MAX_FIRST:
            self._first.append(entry)
            return
        if self._last is None:
            self._last = deque(maxlen=MAX_LAST)
        self.left_out += len(self._last) == MAX_LAST
        self._last.append(entry)


class Traces:
    """Those of the sessions that there are, and of the last ones that have ended."""

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}
        self._ended: deque[tuple[float, str]] = deque()

    def __len__(self) -> int:
        return len(self._traces)

    def add(self, trace: Trace) -> None:
        """Of a new session."""
        self._traces[trace.session_id] = trace

    def end(self, session_id: str, now: float) -> None:
        """The session has ended."""
        self._ended.append((now, session_id))
        self._forget(now)

    def find(self, session_id: str, now: float) -> Trace | None:
        """None if there is none, or none any more."""
        self._forget(now)
        return self._traces.get(session_id)

    def ended(self, now: float) -> Iterator[tuple[Trace, float]]:
        """Those of sessions that have ended, and how long they are still kept, in seconds."""
        self._forget(now)
        for moment, session_id in list(self._ended):
            trace = self._traces.get(session_id)
            if trace is not None and trace.outcome is not None:
                yield trace, KEPT - (now - moment)

    def _forget(self, now: float) -> None:
        while self._ended and (len(self._ended) > MAX_ENDED or now - self._ended[0][0] > KEPT):
            self._traces.pop(self._ended.popleft()[1], None)


def _line(text: str) -> str:
    if len(text) > MAX_SENTENCE:
        text = f"{text[: MAX_SENTENCE - 1]}…"
    return (
        text
        if text.isprintable()
        else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    )
