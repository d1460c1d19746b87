"""What is given up under load, and in which order: first the encoders' complexity, then new sessions.

A call that is refused can be made elsewhere or later; calls that are late are late for all. So neither is waited for:
the share of time that media takes rises with every call long before a packet is late, and sessions that were created
and are about to talk are counted with those that do.
"""

from dataclasses import dataclass, field
from typing import Final

from glottis.server.runtime.load import Load

LOWER_AT: Final = 0.8
"""Of the greatest load: beyond, complexity is lowered by one, at each look."""
RAISE_AT: Final = 0.5
"""Of the greatest load: below, it is raised. One level costs up to 1.4 times as much as the one before, so that the
load then stays well below where it is lowered."""
READMIT_AT: Final = 0.9
"""Of the greatest load: below, refused sessions are admitted again."""
MAX_LATE: Final = 0.05
"""Of the wheel's turns; more are as bad as the greatest load."""
OWN_SHARE: Final = 0.3
"""Of the greatest load; and"""
OWN_TIME: Final = 0.7
"""of the time of a core: turns that are late where the calls' media takes less than the one, and the whole process less
than the other, are the fault of what else runs on the machine. To refuse a call would not help those that there are."""
SAVED_BY_LEVEL: Final = 0.05
"""Of what calls cost now: what may be hoped of lowering complexity by one, until it was tried."""
PATIENCE: Final = 10.0
"""Seconds of low load before complexity is raised by one: it changes some times a minute at most."""
MAX_PATIENCE: Final = 320.0
"""To which it doubles with each time that was one too many."""
PROBATION: Final = 10.0
"""Seconds in which it turns out whether it was."""


@dataclass(slots=True)
class LoadControl:
    """Decides by what ``update`` is told. ``max_load`` is the greatest ``Load.busy``; 1: no session is ever refused.

    A load counts when two looks in a row have seen it: one plugin that blocks once is no load.
    """

    ceiling: int
    floor: int
    max_load: float
    level: int = field(init=False)
    """The complexity to encode at."""
    times_lowered: int = field(init=False, default=0)
    busy: float = field(init=False, default=0.0)
    """The share of time that media takes, seen by both looks."""
    _seen: tuple[float, float, float] = field(init=False, default=(0.0, 0.0, 0.0))
    """Last: what a call takes of the time, the share of late turns, and what the process takes."""
    _calls: int = field(init=False, default=0)
    _per_call: float = field(init=False, default=0.0)
    _late: float = field(init=False, default=0.0)
    """The share of late turns, seen by both looks."""
    _overloaded: bool = field(init=False, default=False)
    _low_since: float | None = field(init=False, default=None)
    _raised_at: float | None = field(init=False, default=None)
    """When, unless that has proved to be right or wrong."""
    _patience: float = field(init=False, default=PATIENCE)

    def __post_init__(self) -> None:
        self.level = self.ceiling

    def update(self, load: Load, *, talking: int, coming: int, now: float) -> None:
        """Take a look: so many calls have media, and so many more may have soon."""
        seen, self._seen = self._seen, (load.busy / talking if talking else 0.0, load.late, load.own)
        self._per_call, self._late, own = map(min, seen, self._seen)
        self.busy = self._per_call * talking
        self._calls = talking + coming
        expected = self._expected()
        if self._is_late or expected > LOWER_AT * self.max_load:
            self._low_since = None
            if self._calls:  # else nothing is encoded, and the first call would be for a while as if there were many
                self._lower()
        elif expected < RAISE_AT * self.max_load:
            self._consider_raising(now)
        else:
            self._low_since = None
        self._judge(expected, own)

    def refuses(self, newcomers: int = 0) -> bool:
        """Whether one more session is too much for those that there are, of which so many came since the last look."""
        if self.max_load >= 1:
            return False
        if self._overloaded or self.busy > self.max_load:
            return True
        saved_at_the_floor = SAVED_BY_LEVEL * (self.level - self.floor)
        return (1 - saved_at_the_floor) * self._expected(newcomers) > self.max_load

    @property
    def cause(self) -> str:
        """What the complexity was changed for, if it was at the last look."""
        if self._is_late:
            return f"{self._late:.0%} of the turns of the media wheel are late"
        if not self._calls:
            return "there are no calls"
        return f"media of {self._calls} calls, those included that begin, takes {self._expected():.0%} of the time"

    @property
    def _is_late(self) -> bool:
        return self._late > MAX_LATE

    def _expected(self, newcomers: int = 0) -> float:
        """How busy media will be when all who have come talk."""
        return self._per_call * (self._calls + newcomers)

    def _lower(self) -> None:
        if self.level > self.floor:
            self.level -= 1
            self.times_lowered += 1
            if self._raised_at is not None:
                self._raised_at = None
                self._patience = min(2 * self._patience, MAX_PATIENCE)

    def _consider_raising(self, now: float) -> None:
        if self._raised_at is not None and now - self._raised_at >= PROBATION:
            self._raised_at = None
            self._patience = PATIENCE
        if self._low_since is None:
            self._low_since = now
        elif self.level < self.ceiling and now - self._low_since >= self._patience:
            self.level += 1
            self._low_since = self._raised_at = now

    def _judge(self, expected: float, own: float) -> None:
        """Whether the calls that there are suffer, or soon will with nothing left to give up.

        Where turns are late already, another call is not admitted in the hope that less complexity will do.
        """
        if self._is_late and (expected > OWN_SHARE * self.max_load or own > OWN_TIME):
            self._overloaded = True
        elif self.level > self.floor:
            self._overloaded = False
        elif expected > self.max_load:
            self._overloaded = True
        elif expected < READMIT_AT * self.max_load:
            self._overloaded = False
