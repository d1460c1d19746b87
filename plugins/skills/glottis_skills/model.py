"""The ``LanguageModel`` named ``skills``: the first of its skills that knows what to say does."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import trio
from glottis import ConfigurationError
from glottis_conversation import Message, Tool, ToolCall
from glottis_conversation.sentences import words_of

from glottis_skills.answers import Answers, answers_of
from glottis_skills.arithmetic import sum_of

HELP: Final = "I can tell you the time and the date, do sums, and say things again."
HELP_WITH_ANSWERS: Final = (
    "You can ask me about what I have read. I also know the time and the date, do sums, and say things again."
)
UNKNOWN: Final = "I do not know that. Say help to hear what I can do."
_GOODBYE: Final = ({"bye"}, {"goodbye"}, {"good-bye"}, {"hang", "up"})
_REPEAT: Final = ({"repeat"}, {"say", "again"}, {"pardon"}, {"come", "again"})


class SkillsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the model."""

    answers: str = ""
    """A Markdown file whose headings are questions, with the answers below. Empty: none."""
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


class Skills:
    """For one call. ``now`` is a clock for tests."""

    def __init__(self, config: SkillsConfig, now: Callable[[tzinfo | None], datetime] = datetime.now) -> None:
        self._answers: Answers | None = answers_of(Path(config.answers)) if config.answers else None
        self._zone = config.zone()
        self._now = now

    async def reply(self, history: Sequence[Message], tools: Sequence[Tool]) -> AsyncIterator[str | ToolCall]:
        """By the caller's last words."""
        await trio.lowlevel.checkpoint()
        said = history[-1].text
        words = set(words_of(said))
        if _has(words, _GOODBYE):
            yield "Goodbye."
            yield ToolCall("hang_up")
        elif _has(words, _REPEAT):
            before = [message.text for message in history if message.role == "assistant" and message.text]
            yield before[-1] if before else "I have not said anything yet."
        else:
            yield self._answer(said, words)

    def _answer(self, said: str, words: set[str]) -> str:
        if (result := sum_of(said)) is not None:
            return result
        if found := self._answers.find(said) if self._answers is not None else []:
            return found[0].answer if len(found) == 1 else f"Do you mean: {found[0].question} Or: {found[1].question}"
        now = self._now(self._zone)
        if "time" in words:
            return f"It is {now:%H:%M}."
        if words & {"date", "day", "today"}:
            return f"Today is {now:%A}, {now.day} {now:%B} {now.year}."
        if "help" in words:
            return HELP if self._answers is None else HELP_WITH_ANSWERS
        if words & {"hello", "hi"}:
            return "Hello. What can I do for you?"
        if words & {"thanks", "thank"}:
            return "You are welcome."
        return UNKNOWN


def _has(words: set[str], phrases: Sequence[set[str]]) -> bool:
    return any(phrase <= words for phrase in phrases)
