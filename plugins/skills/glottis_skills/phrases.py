"""Rules about what callers say: whole phrases, by regular expressions over words without case and punctuation."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import Final

from glottis_conversation import Request
from glottis_conversation.sentences import words_of

MAX_WORDS: Final = 60
"""Who says more wants nothing that a rule knows."""
MAX_LETTERS: Final = 30
"""Of words that are compared."""
ALIKE: Final = 0.75
"""As ``difflib`` has it: how much of two words must be the same for one to be taken for the other."""
_POLITE: Final = re.compile(
    r"^(?:(?:please|well|so|and|now|okay|ok|(?:hey|hello|hi)(?: there)?|then|um|uh|(?:can|could|would|will) you"
    r"|(?:i'd|i would) like you to|i (?:want|need) you to|i (?:want|would like|wanted) to|i'd like to|let me|let's) )+"
    r"|(?: (?:please|then|now|for me|if you can|thank you|thanks))+$"
)
_OLD_FASHIONED: Final = re.compile(r"\bto (day|morrow|night)\b")
"""So some recognisers write."""
_UNIFORM: Final = str.maketrans({"’": "'", "‘": "'", "`": "'", "-": " "})


def plain(text: str) -> str:
    """The words, in lower case, one space between them, also for a hyphen; empty for more than ``MAX_WORDS``."""
    words = [word for word in words_of(text[:2000].translate(_UNIFORM)) if word]
    return _OLD_FASHIONED.sub(r"to\1", " ".join(words)) if len(words) <= MAX_WORDS else ""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def bare(text: str) -> str:
    """``plain``, without what is said to be polite: "could you repeat that please" is "repeat that"."""
    return _POLITE.sub("", plain(text))


def says(text: str, *patterns: str) -> re.Match[str] | None:
    """The first of these that a whole utterance is, politeness left aside or not."""
    spoken = (bare(text), plain(text))
    return next((found for each in patterns for words in spoken if (found := _compiled(each).fullmatch(words))), None)


def mentions(text: str, *patterns: str) -> re.Match[str] | None:
    """The first of these that is anywhere in it, word by word."""
    words = plain(text)
    return next((found for pattern in patterns if (found := _compiled(rf"\b(?:{pattern})\b").search(words))), None)


def resembles(text: str, word: str, alike: float = ALIKE, beside: str = "") -> bool:
    """Whether one of its words, or two of them together, look much like this one: "to Monroe" was "tomorrow".

    ``beside`` must be in the text, too.
    """
    words = plain(text).split()
    pairs = [first + second for first, second in pairwise(words)]
    found = get_close_matches(word, [each[:MAX_LETTERS] for each in (*words, *pairs)], n=1, cutoff=alike)
    return bool(found) and beside in plain(text)


WHOLLY: Final = 0.98
"""How certain it is that who says just this wants it."""
PARTLY: Final = 0.5


def heard(wholly: tuple[str, ...] = (), partly: tuple[str, ...] = ()) -> Callable[[str], Request | None]:
    """A rule for a tool without arguments: sure of an utterance that is one of ``wholly``, less sure of ``partly``."""

    def hear(text: str) -> Request | None:
        if says(text, *wholly):
            return Request(certainty=WHOLLY)
        return Request(certainty=PARTLY) if mentions(text, *partly) else None

    return hear
