"""What models think aloud: some servers leave it in the text, between ``<think>`` and ``</think>``."""

from typing import Final

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class Unthinking:
    """Leaves it out of one answer, however that is split."""

    def __init__(self) -> None:
        self._is_thinking = False
        self._waiting = ""

    def spoken(self, piece: str) -> str:
        """What is to be said by now."""
        text = self._waiting + piece
        said, at = [], 0
        while (found := text.find(tag := self._next_tag, at)) >= 0:
            said.append("" if self._is_thinking else text[at:found])
            self._is_thinking = not self._is_thinking
            at = found + len(tag)
        end = len(text) - _beginning_of(tag, text[at:])
        said.append("" if self._is_thinking else text[at:end])
        self._waiting = text[end:]
        return "".join(said)

    def rest(self) -> str:
        """At the end of the answer: what only looked like a tag."""
        return "" if self._is_thinking else self._waiting

    @property
    def _next_tag(self) -> str:
        return _CLOSE if self._is_thinking else _OPEN


def _beginning_of(tag: str, text: str) -> int:
    """How many of its last characters may be the first ones of a tag."""
    return next((length for length in range(len(tag) - 1, 0, -1) if text.endswith(tag[:length])), 0)
