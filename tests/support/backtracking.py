"""How many steps a regular expression takes, steps back included: its own engine does not say.

What is here matches as ``re`` does, greedily and from the beginning to the end, but for references to groups.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

REPEATED: Final = 40
"""Characters of what is repeated in a text."""
Then = Callable[[int], bool]
"""Goes on at a position; says whether all of the rest fits."""

MOST: Final = 200_000
"""Steps; who takes more takes far too many."""


class _Endless(Exception):
    pass


class Backtracker:
    """Matches texts with one expression, and counts."""

    def __init__(self, pattern: "re.Pattern[Any]") -> None:
        text = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
        self._tree = list(_parser.parse(text, pattern.flags & ~re.DEBUG))
        self._text = ""
        self._steps = 0

    def steps(self, text: str) -> int:
        """Of an attempt to match all of ``text``, which fails or succeeds."""
        self._text, self._steps = text, 0
        with suppress(_Endless):
            self._match(self._tree, 0, lambda position: position == len(text))
        return self._steps

    def samples(self) -> Iterator[str]:
        """A text that fits, with each repeat once, and texts that repeat a part of it and end in what never fits."""
        sample = "".join(map(_sample, self._tree))
        yield sample
        for start in range(len(sample)):
            for length in (1, 2, 3):
                yield sample[:start] + sample[start : start + length] * (REPEATED // length) + "\x01"

    def _match(self, nodes: list[Any], position: int, then: Then) -> bool:
        self._steps += 1
        if self._steps > MOST:
            raise _Endless
        if not nodes:
            return then(position)
        (op, argument), rest = nodes[0], nodes[1:]

        def go_on(at: int) -> bool:
            return self._match(rest, at, then)

        if op is sre.SUBPATTERN:
            return self._match(list(argument[-1]), position, go_on)
        if op is sre.BRANCH:
            return any(self._match(list(branch), position, go_on) for branch in argument[1])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._repeat(argument, position, go_on, 0)
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            return self._match(list(argument[1]), position, lambda at: True) is (op is sre.ASSERT) and go_on(position)
        if op is sre.AT:
            return position == len(self._text) and go_on(position)
        return position < len(self._text) and _fits(op, argument, self._text[position]) and go_on(position + 1)

    def _repeat(self, argument: Any, position: int, then: Then, times: int) -> bool:
        least, most, body = argument

        def again(at: int) -> bool:
            return at > position and self._repeat(argument, at, then, times + 1)

        if times < most and self._match(list(body), position, again):
            return True
        return times >= least and then(position)


def _fits(op: Any, argument: Any, character: str) -> bool:
    if op is sre.ANY:
        return True
    if op is sre.LITERAL:
        return bool(ord(character) == argument)
    if op is sre.NOT_LITERAL:
        return bool(ord(character) != argument)
    assert op is sre.IN
    negated = argument[0][0] is sre.NEGATE
    return any(_is_in(item, character) for item in argument if item[0] is not sre.NEGATE) is not negated


def _is_in(item: tuple[Any, Any], character: str) -> bool:
    op, argument = item
    if op is sre.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    if op is sre.CATEGORY:
        return character.isspace() if argument is sre.CATEGORY_SPACE else character.isdigit()
    return bool(ord(character) == argument)


def _sample(node: tuple[Any, Any]) -> str:
    op, argument = node
    if op is sre.SUBPATTERN:
        return "".join(map(_sample, argument[-1]))
    if op is sre.BRANCH:
        return "".join(map(_sample, argument[1][0]))
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        return "".join(map(_sample, argument[2])) * max(1, int(argument[0]))
    if op in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
        return ""
    return next(character for character in map(chr, (*range(32, 127), 10, 0)) if _fits(op, argument, character))
