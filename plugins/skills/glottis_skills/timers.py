"""The skill ``timers``: they speak up when their time has come, are listed, and are cancelled."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio
from glottis_conversation import Floor, Request, Tool, tool_of

from glottis_skills.durations import duration_in, spoken_duration
from glottis_skills.numbers import number_at, tokens_of
from glottis_skills.phrases import PARTLY, WHOLLY, bare, heard, mentions

MAX_TIMERS: Final = 20
MAX_SECONDS: Final = 86_400
MAX_LABEL: Final = 100

_WANTS: Final = (
    r"(?:set|start|make|add|create|need|begin)(?: me)?(?: \w+){0,6}? (?:timer|alarm)",
    r"(?:set|said|start) (?:a|the) (?:time|times|tamer|tyra)",  # as recognisers hear it
    r"timer (?:for|of)",
    r"(?:remind|wake|call|tell) me (?:in|and|an)",
    r"remind me",
    r"me in (?:a|an|one|half|\w+ (?:seconds|minutes|hours))",
    r"count down",
)
_LIST: Final = (
    r"(?:what|which|how many) timers(?: .{0,30})?",
    r"(?:list|tell me)(?: me)?(?: all)?(?: the| my)? timers",
    r"how (?:long|much time|much longer)(?: is| are| do i have)?(?: there)? (?:left|remaining)(?: .{0,30})?",
    r"how (?:long|much time)(?: does| is| has)? (?:the|my) timers?(?: .{0,30})?",
    r"(?:do i have|are there) any timers(?: .{0,20})?",
)
_CANCEL: Final = r"(?:cancel|stop|delete|remove|end|turn off|clear|forget)(?: \w+){0,6}? (?:timers?|alarms?|reminders?)"
_TASK: Final = re.compile(
    r"^(?:\w{1,20} )?(?:remind|mind|mine) me(?: (?:in|and|an) .{1,40}?)? (?:to|that|about) (?P<task>.{1,100}?)"
    r"(?: in (?!the\b|a\b).{1,40})?$"
)
_SET_SAYINGS: Final = (
    "set a timer for {number} {time}",
    "set a timer for {number} {time} and {number} {time}",
    "set a timer for an hour",
    "set a timer for an hour and a half",
    "set a timer for half an hour",
    "{number} {time} timer",
    "remind me in {number} {time}",
    "remind me in {number} {time} to {text}",
    "remind me in an hour to {text}",
)
_LIST_SAYINGS: Final = ("how much time is left", "how long is left", "what timers are there")
_CANCEL_SAYINGS: Final = ("cancel the timer", "cancel the {number} {time} timer", "cancel all timers", "stop the timer")
_YOURS: Final = {
    "my": "your",
    "i": "you",
    "me": "you",
    "mine": "yours",
    "am": "are",
    "i'm": "you are",
    "myself": "yourself",
}


@dataclass(eq=False, slots=True)
class Timer:
    """One that runs."""

    seconds: int
    label: str
    ends_at: float
    """In trio's time."""
    scope: trio.CancelScope

    @property
    def name(self) -> str:
        """Such as "5 minute timer"."""
        return f"{spoken_duration(self.seconds)}{' to ' + self.label if self.label else ''}"

    @property
    def left(self) -> str:
        """How long it has to run."""
        return spoken_duration(max(1, round(self.ends_at - trio.current_time())))


class Timers:
    """The skill, with the timers of one call."""

    def __init__(self, settings: None) -> None:
        self._timers: list[Timer] = []

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """To set, to list and to cancel them."""

        async def set_timer(seconds: int, label: str = "") -> str:
            """Speak up after so many seconds; ``label`` is what for, such as "take out the bread"."""
            if not 0 < seconds <= MAX_SECONDS:
                return "I can do timers of a second up to a day."
            if len(self._timers) >= MAX_TIMERS:
                return "There are too many timers. Cancel some first."
            timer = Timer(seconds, label[:MAX_LABEL], trio.current_time() + seconds, trio.CancelScope())
            self._timers.append(timer)
            floor.start_soon(self._wait, timer, floor)
            return f"I will remind you in {timer.left} to {label}." if label else f"Your timer runs for {timer.left}."

        return [
            tool_of(set_timer, _hear_set, example="set a timer for five minutes", sayings=_SET_SAYINGS),
            tool_of(self.list_timers, heard(_LIST, ("time is left", "timers")), sayings=_LIST_SAYINGS),
            tool_of(self.cancel_timers, _hear_cancel, sayings=_CANCEL_SAYINGS),
        ]

    async def list_timers(self) -> str:
        """How long the timers have to run."""
        if not self._timers:
            return "No timer is running."
        return " ".join(f"The timer of {timer.name} has {timer.left} left." for timer in self._timers)

    async def cancel_timers(self, seconds: int = 0, everyone: bool = False) -> str:
        """Cancel the timer of so many seconds, or the only one, or ``everyone`` of them."""
        chosen = [timer for timer in self._timers if everyone or not seconds or timer.seconds == seconds]
        if not chosen:
            return "No such timer is running." if self._timers else "No timer is running."
        if len(chosen) > 1 and not everyone and not seconds:
            return f"Which one? There are those of {' and '.join(timer.name for timer in chosen)}."
        for timer in chosen:
            timer.scope.cancel()
            self._timers.remove(timer)
        names = " and ".join(timer.name for timer in chosen)
        return f"The timer of {names} is cancelled." if len(chosen) == 1 else f"The timers of {names} are cancelled."

    async def _wait(self, timer: Timer, floor: Floor) -> None:
        with timer.scope:
            await trio.sleep_until(timer.ends_at)
            self._timers.remove(timer)
            floor.speak_up(f"I remind you to {timer.label}." if timer.label else f"Your timer of {timer.name} is over.")


def _hear_set(text: str) -> Request | None:
    words = bare(text)
    seconds = duration_in(words)
    if seconds is None or mentions(words, _CANCEL) or not (mentions(words, *_WANTS) or _is_short(words)):
        return None
    task = _TASK.match(words)
    label = " ".join(_YOURS.get(word, word) for word in task["task"].split()) if task else ""
    is_whole = bool(label) or not mentions(words, "(?:re)?mind me .* to")
    return Request({"seconds": seconds, "label": label}, WHOLLY - 0.01 if is_whole else PARTLY)


def _is_short(words: str) -> bool:
    """Such as "five minute timer", with nothing before that may be misheard."""
    return words.endswith((" timer", " alarm")) and number_at(tokens_of(words.removeprefix("a ")), 0) is not None


def _hear_cancel(text: str) -> Request | None:
    if not mentions(text, _CANCEL):
        return None
    everyone = mentions(text, "all", "every", "timers") is not None
    return Request({"seconds": duration_in(text) or 0, "everyone": everyone}, WHOLLY)
