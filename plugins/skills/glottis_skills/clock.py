"""The skill ``clock``: the time and the date."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from glottis import ConfigurationError
from glottis_conversation import Floor, Request, Tool, tool_of

from glottis_skills.phrases import PARTLY, WHOLLY, heard, mentions, resembles, says

Day = Literal["yesterday", "today", "tomorrow"]
DAYS: Final[dict[Day, int]] = {"yesterday": -1, "today": 0, "tomorrow": 1}

_TIME: Final = (
    r"what time is it(?: now)?",
    r"what is the time(?: now)?",
    r"what's the time(?: now)?",
    r"tell me (?:what time it is|the time)",
    r"have you got the time",
    r"do you (?:have|know) the time",
    r"do you know what time it is",
    r"time",
)
_TIME_SAYINGS: Final = (
    "what time is it",
    "what is the time",
    "tell me the time",
    "tell me what time it is",
    "do you know what time it is",
)
_DATE: Final = (
    r"(?:what|which) day (?:is|was|of the week is) (?:it )?(?:today|tomorrow|yesterday)",
    r"(?:what|which) day is it",
    r"(?:what is|what's|tell me) (?:the (?:day|date)(?: of today)?|(?:today|tomorrow)'s date)(?: today| tomorrow)?",
    r"(?:what|which) date is (?:it|today|tomorrow)(?: today)?",
    r"tell me (?:what|which) day it is",
    r"(?:what|which) day will it be tomorrow",
    r"date",
)
_DATE_SAYINGS: Final = (
    "what day is it {day}",
    "what day is {day}",
    "tell me what day it is {day}",
    "what is the date {day}",
    "what is the date",
    "what day is it",
)

MISHEARD: Final = 0.55
"""How much of "tomorrow" must be in what follows "date to"."""


class ClockConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the skills that know the time."""

    time_zone: str = ""
    """Such as "Europe/Vienna". Empty: that of the machine."""

    def __post_init__(self) -> None:
        self.zone()

    def zone(self) -> tzinfo | None:
        """None is that of the machine. Raises ``ConfigurationError`` for one that nobody knows."""
        try:
            return ZoneInfo(self.time_zone) if self.time_zone else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigurationError(f"time_zone: expected one such as Europe/Vienna, got {self.time_zone!r}") from None


class Clock:
    """The skill. ``now`` is a clock for tests."""

    def __init__(self, config: ClockConfig, now: Callable[[tzinfo | None], datetime] = datetime.now) -> None:
        self._zone = config.zone()
        self._now = now

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One for the time, and one for the date."""
        return [
            tool_of(
                self.tell_time,
                heard(_TIME, ("what time is it", "the time is it")),
                example="what time is it",
                sayings=_TIME_SAYINGS,
            ),
            tool_of(self.tell_date, _hear_date, example="what day is today", sayings=_DATE_SAYINGS),
        ]

    async def tell_time(self) -> str:
        """What time it is."""
        return f"It is {self._now(self._zone):%H:%M}."

    async def tell_date(self, day: Day = "today") -> str:
        """The date and the day of the week, of today or the day before or after."""
        now = self._now(self._zone) + timedelta(days=DAYS[day])
        verb = {"yesterday": "Yesterday was", "today": "Today is", "tomorrow": "Tomorrow is"}[day]
        return f"{verb} {now:%A}, {now.day} {now:%B} {now.year}."


def _day_in(text: str) -> Day:
    for day in DAYS:
        if mentions(text, rf"{day}(?:'s)?"):
            return day
    likely = [day for day in DAYS if resembles(text, day)]
    return likely[0] if likely else "tomorrow" if resembles(text, "tomorrow", MISHEARD, "date to") else "today"


def _hear_date(text: str) -> Request | None:
    day = _day_in(text)
    if says(text, *_DATE):
        return Request({"day": day}, WHOLLY)
    if mentions(text, "(?:what|which) day", "(?:what|which|the|today's) date"):
        return Request({"day": day}, PARTLY)
    return None
