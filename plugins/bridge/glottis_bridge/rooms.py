"""Rooms for two, in one event loop: who comes second meets whoever is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio
from glottis import Call

Place = tuple[str, str]
"""The line that campaigns have in common, and the room that a caller wants."""


@dataclass(eq=False, slots=True)
class Meeting:
    """Of two calls, once both are there."""

    calls: list[Call]
    complete: trio.Event = field(default_factory=trio.Event)
    over: trio.Event = field(default_factory=trio.Event)
    """Set when either has gone."""

    def partner_of(self, call: Call) -> Call:
        """The other one, of a complete meeting."""
        return self.calls[1] if self.calls[0] is call else self.calls[0]


_waiting: trio.lowlevel.RunVar[dict[Place, Meeting]] = trio.lowlevel.RunVar("meetings of glottis-bridge")
"""Those that wait for the second. An event loop has its own: calls of two cannot talk."""


@contextmanager
def meeting_in(place: Place, call: Call) -> Iterator[Meeting]:
    """The meeting that this call is part of within the block, and that is over after it."""
    try:
        waiting = _waiting.get()
    except LookupError:
        _waiting.set(waiting := {})
    meeting = waiting.pop(place, None)
    if meeting is None:
        meeting = waiting[place] = Meeting([call])
    else:
        meeting.calls.append(call)
        meeting.complete.set()
    try:
        yield meeting
    finally:
        meeting.over.set()
        if waiting.get(place) is meeting:
            del waiting[place]
