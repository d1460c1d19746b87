"""The ``LanguageModel`` named ``skills``, which is none: it runs the tool that hears what it knows."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import trio
from glottis_conversation import Message, Request, Tool, ToolCall

from glottis_skills.clock import DAYS
from glottis_skills.durations import UNITS_OF_TIME
from glottis_skills.sayings import Likeness, Sayings, as_heard
from glottis_skills.units import UNITS

ERROR: Final = "error: "
"""Before what a tool could not do."""
SURE: Final = 0.6
"""Who is as certain of what was said does not ask what it sounds like."""
DOUBT: Final = 1.5
"""How much faster certainty falls than the share of the sounds that were heard."""
LEAST: Final = 0.75
"""Who is less certain by sound alone says nothing, for two voices at once sound like much."""
SLOTS: Final = as_heard(
    {
        "day": DAYS,
        "operator": ("plus", "minus", "times"),
        "time": UNITS_OF_TIME,
        "unit": UNITS,
    }
)
MAX_MADE: Final = 16
"""Campaigns whose sayings are kept: the oldest is made again when it is asked."""


class RulesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the model."""

    unknown: str = "I do not know that. Say help to hear what I can do."
    """Said where no skill knows what the caller wants."""
    failed: str = "I am sorry, I could not do that."
    """Said where one knows, and cannot do it."""


class Rules:
    """Says what the tools answer, word by word."""

    def __init__(self, config: RulesConfig) -> None:
        self._config = config

    async def certainty(self, said: str, tools: Sequence[Tool]) -> float:
        """Of the tool that would be run."""
        found = await most_certain(said, tools)
        return found[1].certainty if found is not None else 0.0

    async def reply(self, history: Sequence[Message], tools: Sequence[Tool]) -> AsyncIterator[str | ToolCall]:
        """By the caller's last words, or by what a tool has answered to them."""
        await trio.lowlevel.checkpoint()
        last = history[-1]
        if last.role == "tool":
            yield self._config.failed if last.text.startswith(ERROR) else last.text
        elif (found := await most_certain(last.text, tools)) is None:
            yield self._config.unknown
        else:
            tool, request = found
            if request.before:
                yield request.before
            yield ToolCall(tool.name, request.arguments)


async def most_certain(said: str, tools: Sequence[Tool]) -> tuple[Tool, Request] | None:
    """The tool that is wanted, the first of those that are as certain; None where nobody knows."""
    found = _most_certain(said, tools)
    if found is not None and found[1].certainty >= SURE:
        return found
    likely = await _likely(said, tuple(saying for tool in tools for saying in tool.sayings))
    if likely is None or (other := _most_certain(likely.text, tools)) is None:
        return found
    tool, request = other
    certainty = request.certainty * (1 - DOUBT * (1 - likely.share))
    if certainty < LEAST or (found is not None and found[1].certainty >= certainty):
        return found
    return tool, replace(request, certainty=certainty)


def _most_certain(said: str, tools: Sequence[Tool]) -> tuple[Tool, Request] | None:
    requests = [(tool, request) for tool in tools if tool.hear is not None and (request := tool.hear(said)) is not None]
    return max(requests, key=lambda found: found[1].certainty, default=None)


async def _likely(said: str, sayings: tuple[str, ...]) -> Likeness | None:
    """What it sounds most like: others have their turn between the pieces of the search, which may take long."""
    found = None
    for piece in (await _sayings_of(sayings)).search(said):
        found = piece
        await trio.lowlevel.checkpoint()
    return found


async def _sayings_of(sayings: tuple[str, ...]) -> Sayings:
    """Made once for all calls of a campaign."""
    made = _made.get(sayings)
    if made is None:
        made = Sayings(SLOTS)
        for saying in sayings:
            made.add(saying)
            await trio.lowlevel.checkpoint()
        while len(_made) >= MAX_MADE:
            del _made[next(iter(_made))]
        _made[sayings] = made
    return made


_made: Final[dict[tuple[str, ...], Sayings]] = {}
