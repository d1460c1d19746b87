"""The skill ``spelling``: "how do you spell necessary"."""

from collections.abc import Sequence
from typing import Final

from glottis_conversation import Floor, Request, Tool, tool_of

from glottis_skills.phrases import says

MAX_LETTERS: Final = 40
_SAYINGS: Final = ("how do you spell {word}", "spell the word {word}", "spell {word}")


class Spelling:
    """The skill."""

    def __init__(self, settings: None) -> None: ...

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that spells."""
        return [tool_of(spell, _hear, example="how do you spell necessary", sayings=_SAYINGS)]


async def spell(word: str) -> str:
    """The letters of a word, one by one."""
    letters = [letter.upper() for letter in word if letter.isalnum()][:MAX_LETTERS]
    if not letters:
        raise ValueError("expected a word with letters")
    return f"{word.strip()[:MAX_LETTERS].capitalize()}: {', '.join(letters)}."


def _hear(text: str) -> Request | None:
    found = says(
        text,
        r"(?:how (?:do|would|can) (?:you|i|we|one) )?spell (?:the word |out )?(?P<word>[\w' -]{1,40})",
        r"(?:tell|sell|pell|smell) (?:the|that) words? (?P<word>[\w' -]{1,40})",  # as recognisers hear it
        r"how is (?:the word )?(?P<word>[\w'-]{1,40}) (?:spelled|spelt|written)",
        r"what is the spelling of (?P<word>[\w'-]{1,40})",
    )
    return Request({"word": found["word"]}, 0.95) if found else None
