"""What was said, where the first that was understood makes no sense."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio

from glottis_conversation.chain import Enough, Patience, all_of
from glottis_conversation.sentences import whole_characters

SURE: Final = 0.6
"""Who is as certain asks for nothing else."""
SECONDS: Final = 1.0
"""In which something else must be found: the caller waits."""
MAX_OTHERS: Final = 8
MAX_CHARACTERS: Final = 2000
Again = Callable[[], AsyncIterator[str]]

_logger = logging.getLogger(__name__)


async def clearest(text: str, again: Again, certainty: Callable[[str], Awaitable[float]]) -> str:
    """The first of what it may have been that is certain enough, else the most certain.

    A recogniser gets one word wrong or another, as chance has it, but only what was really said is likely to be
    something that somebody would want here. So a second and a third look are worth more than a better first one.
    """
    most, left = await certainty(text), MAX_OTHERS

    async def take(other: str) -> None:
        nonlocal text, most, left
        other = whole_characters(other).strip()[:MAX_CHARACTERS]
        if (found := await certainty(other)) > most:
            text, most = other, found
        left -= 1
        if most >= SURE or not left:
            raise Enough

    if most < SURE:
        with trio.move_on_after(SECONDS):
            try:
                await all_of(again(), take, Patience(SECONDS))
            except Enough:
                pass
            except Exception as error:
                _logger.warning("a recogniser has failed to say what else was said: %s", type(error).__name__)
    return text
