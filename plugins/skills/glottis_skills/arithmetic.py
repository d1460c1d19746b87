"""Sums in words and figures: "twelve times 7 plus three"."""

import re
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final

MAX_CHARACTERS: Final = 200
_UNITS: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = {
    word: Decimal(10 * at)
    for at, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SMALL: Final = {**{word: Decimal(at) for at, word in enumerate(_UNITS)}, **_TENS}
_LARGE: Final = {"thousand": Decimal(1000), "million": Decimal(1_000_000)}
_OPERATORS: Final = {
    "plus": "+", "and": "+", "+": "+", "minus": "-", "less": "-", "-": "-", "times": "*", "x": "*", "*": "*", "×": "*",
    "multiplied": "*", "over": "/", "divided": "/", "/": "/", "÷": "/",
}  # fmt: skip
_FILLERS: Final = frozenset({"what", "what's", "is", "how", "much", "by", "the", "of", "calculate", "please", "a"})
_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)*|[a-z']+|[-+*/×÷]")


def sum_of(text: str) -> str | None:
    """The result in figures, or a sentence where there is none; None for what is no sum."""
    if len(text) > MAX_CHARACTERS:
        return None
    terms = _terms(text)
    if terms is None:
        return None
    with localcontext() as context:
        context.prec = 15
        try:
            return _figures(_evaluated(*terms))
        except (DivisionByZero, InvalidOperation, Overflow):
            return "That has no result."


def _terms(text: str) -> tuple[list[Decimal], list[str]] | None:
    """Numbers, and the operators between them; None unless there is nothing else."""
    numbers: list[Decimal] = []
    operators: list[str] = []
    words: list[str] = []
    for term in [*_TOKEN.findall(text.lower()), "="]:
        if term in _SMALL or term in _LARGE or term == "hundred" or term[0].isdigit():
            words.append(term)
        elif term == "and" and words and words[-1] in ("hundred", *_LARGE):
            continue
        elif term in _OPERATORS or term == "=":
            if not words:
                return None
            numbers.append(_number(words))
            words = []
            operators.append(_OPERATORS.get(term, ""))
        elif term not in _FILLERS:
            return None
    return (numbers, operators[:-1]) if len(numbers) > 1 else None


def _number(words: list[str]) -> Decimal:
    whole = part = Decimal(0)
    for word in words:
        if word[0].isdigit():
            part += Decimal(word.replace(",", ""))
        elif word == "hundred":
            part = (part or Decimal(1)) * 100
        elif word in _LARGE:
            whole, part = whole + (part or Decimal(1)) * _LARGE[word], Decimal(0)
        else:
            part += _SMALL[word]
    return whole + part


def _evaluated(numbers: list[Decimal], operators: list[str]) -> Decimal:
    """Products before sums."""
    total, product, sign = Decimal(0), numbers[0], 1
    for operator, number in zip(operators, numbers[1:], strict=True):
        if operator == "*":
            product *= number
        elif operator == "/":
            product /= number
        else:
            total, product, sign = total + sign * product, number, 1 if operator == "+" else -1
    return total + sign * product


def _figures(result: Decimal) -> str:
    rounded = round(result, 3)
    return f"{rounded.normalize():f}" if rounded else "0"
