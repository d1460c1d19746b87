"""The turn detector ``words``: waits on where the last words cannot be the end of a sentence."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from glottis_conversation.sentences import words_of

UNFINISHED: Final = frozenset(
    {"a", "about", "an", "and", "as", "at", "because", "but", "by", "for", "from", "if", "in", "into", "is", "my"}
    | {"of", "on", "or", "our", "so", "than", "that", "the", "their", "then", "to", "until", "uh", "um", "was", "when"}
    | {"where", "which", "while", "who", "with", "your"}
)
"""Nobody ends with these."""


class WordsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the turn detector."""

    seconds: Annotated[float, Meta(ge=0, le=10)] = 1.2
    """After an unfinished sentence, beyond the silence that ends a turn."""


class WordsDetector:
    """The ``TurnDetector`` named ``words``."""

    __slots__ = ("_seconds",)

    def __init__(self, config: WordsConfig) -> None:
        self._seconds = config.seconds

    def patience(self, said: str) -> float:
        """By the last word, and a comma or dots after it."""
        words = words_of(said)
        is_unfinished = said.rstrip().endswith((",", "...", "…", "-")) or (bool(words) and words[-1] in UNFINISHED)
        return self._seconds if is_unfinished and not said.rstrip().endswith(("?", "!")) else 0.0
