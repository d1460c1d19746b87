"""Numbers in words and figures: "two thousand five hundred", "1,000", "three and a half"."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from glottis_conversation.sentences import words_of

_SMALL: Final = {
    word: Decimal(at)
    for at, word in enumerate(
        words_of(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
            "sixteen seventeen eighteen nineteen"
        )
    )
}
_TENS: Final = {
    word: Decimal(10 * at)
    for at, word in enumerate(words_of("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
_LARGE: Final = {"thousand": Decimal(1000), "million": Decimal(1_000_000)}
_FRACTIONS: Final = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)*|[a-z']+|[-+*/×÷%√]")
_FIGURES: Final = re.compile(r"\d{1,18}(?:,\d{3})*(?:\.\d{1,9})?")


def tokens_of(text: str) -> list[str]:
    """Words, figures and signs of a text: "twenty-five%" is ``["twenty", "-", "five", "%"]``."""
    return _TOKEN.findall(text.lower())


def number_at(tokens: Sequence[str], at: int) -> tuple[Decimal, int] | None:
    """The number that begins at this position, and the position behind it."""
    if _figure(tokens, at) is None and not _is_word(tokens, at) and not _begins_by_article(tokens, at):
        return None
    whole, part = Decimal(0), Decimal(0)
    while at < len(tokens):
        word = tokens[at]
        if (figure := _figure(tokens, at)) is not None:
            part += figure
        elif word in _SMALL and at and tokens[at - 1] in _SMALL and part:
            break  # two numbers, and not their sum
        elif word in _SMALL or word in _TENS:
            part += _SMALL.get(word, _TENS.get(word, Decimal(0)))
        elif word == "hundred":
            part = (part or Decimal(1)) * 100
        elif word in _LARGE:
            whole, part = whole + (part or Decimal(1)) * _LARGE[word], Decimal(0)
        elif word == "point" and _is_digit(tokens, at + 1):
            decimals, at = _decimals(tokens, at + 1)
            return whole + part + decimals, at
        elif not _joins(tokens, at):
            break
        at += 1
    return _with_fraction(whole + part, tokens, at)


def numbers_of(text: str) -> list[Decimal]:
    """All numbers of a text, in their order."""
    tokens, at, found = tokens_of(text), 0, list[Decimal]()
    while at < len(tokens):
        if (number := number_at(tokens, at)) is not None:
            found.append(number[0])
            at = number[1]
        else:
            at += 1
    return found


def in_figures(number: Decimal, places: int = 3) -> str:
    """Without zeros at the end: "2.5"."""
    rounded = round(number, places)
    return f"{rounded.normalize():f}" if rounded else "0"


def _figure(tokens: Sequence[str], at: int) -> Decimal | None:
    if at < len(tokens) and _FIGURES.fullmatch(tokens[at]):
        return Decimal(tokens[at].replace(",", ""))
    return None


def _is_digit(tokens: Sequence[str], at: int) -> bool:
    return at < len(tokens) and (_SMALL.get(tokens[at], Decimal(10)) < 10 or tokens[at] == "oh")


def _is_word(tokens: Sequence[str], at: int) -> bool:
    return at < len(tokens) and (tokens[at] in _SMALL or tokens[at] in _TENS or tokens[at] in ("hundred", *_LARGE))


def _begins_by_article(tokens: Sequence[str], at: int) -> bool:
    return tokens[at : at + 1] == ["a"] and at + 1 < len(tokens) and tokens[at + 1] in ("hundred", *_LARGE)


def _joins(tokens: Sequence[str], at: int) -> bool:
    """Whether what is here holds a number together: "twenty-five", "two hundred and five", "a hundred"."""
    word, before = tokens[at], tokens[at - 1] if at else ""
    if word == "-":
        return before in _TENS and at + 1 < len(tokens) and tokens[at + 1] in _SMALL
    if word == "and":
        return before in ("hundred", *_LARGE) and _is_word(tokens, at + 1)
    return _begins_by_article(tokens, at)


def _decimals(tokens: Sequence[str], at: int) -> tuple[Decimal, int]:
    digits = ""
    while _is_digit(tokens, at) and len(digits) < 9:
        digits += str(_SMALL.get(tokens[at], 0))
        at += 1
    return Decimal(f"0.{digits}"), at


def _with_fraction(number: Decimal, tokens: Sequence[str], at: int) -> tuple[Decimal, int]:
    """With "and a half" behind it."""
    if list(tokens[at : at + 2]) in (["and", "a"], ["and", "one"]):
        fraction = _FRACTIONS.get("".join(tokens[at + 2 : at + 3]))
        return (number + fraction, at + 3) if fraction is not None else (number, at)
    return number, at


NUMBER_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "ones": tuple(_SMALL)[:10],
    "teens": tuple(_SMALL)[10:],
    "tens": tuple(_TENS),
    "large": ("hundred", *_LARGE),
    "and": ("and",),
    "point": ("point",),
    "figure": ("0",),
}
"""The kinds of words that numbers are made of."""
FOLLOWING: Final[dict[str, tuple[str, ...]]] = {
    "": ("ones", "teens", "tens", "figure"),
    "ones": ("large", "point"),
    "teens": ("large", "point"),
    "tens": ("ones", "large", "point"),
    "large": ("ones", "teens", "tens", "and"),
    "and": ("ones", "teens", "tens"),
    "point": ("ones",),
    "figure": ("large",),
}
"""Which of them may follow which; at first those of ""."""
