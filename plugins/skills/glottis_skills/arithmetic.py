"""The skill ``arithmetic``: sums in words and figures, "twelve times 7 plus three", "15 percent of 80"."""

from collections.abc import Sequence
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final

from glottis_conversation import Floor, Request, Tool, tool_of
from glottis_conversation.sentences import words_of

from glottis_skills.numbers import in_figures, number_at, tokens_of

MAX_CHARACTERS: Final = 200
_OPERATORS: Final = {
    "plus": "+", "and": "+", "+": "+", "minus": "-", "less": "-", "-": "-", "times": "*", "x": "*", "*": "*", "×": "*",
    "multiplied": "*", "over": "/", "divided": "/", "/": "/", "÷": "/",
}  # fmt: skip
_FILLERS: Final = frozenset(
    words_of(
        "what what's whats is how much many by the calculate please a can could you tell me work out add up "
        "makes make do does are of equals equal to and so for"
    )
)
_SAYINGS: Final = (
    "what is {number} {operator} {number}",
    "how much is {number} {operator} {number}",
    "{number} {operator} {number}",
    "what is {number} divided by {number}",
    "what is {number} percent of {number}",
    "what is the square root of {number}",
)


class Arithmetic:
    """The skill."""

    def __init__(self, settings: None) -> None: ...

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that does sums."""
        return [tool_of(calculate, _hear, example="what is 12 times 7", sayings=_SAYINGS)]


async def calculate(expression: str) -> str:
    """The result of a sum, such as "12 * 7 + 3" or "15 percent of 80"."""
    if (result := sum_of(expression)) is None:
        raise ValueError("expected numbers with plus, minus, times, divided by, percent of, or square root of")
    return result


def _hear(text: str) -> Request | None:
    return Request({"expression": text[:MAX_CHARACTERS]}, 0.95) if sum_of(text) is not None else None


def sum_of(text: str) -> str | None:
    """The result in figures, or a sentence where there is none; None for what is no sum."""
    if len(text) > MAX_CHARACTERS:
        return None
    with localcontext() as context:
        context.prec = 15
        try:
            result = _result(tokens_of(text))
        except (DivisionByZero, InvalidOperation, Overflow):
            return "That has no result."
        return None if result is None else in_figures(result)


def _result(tokens: list[str]) -> Decimal | None:
    terms = _terms(tokens)
    if terms is None:
        return None
    numbers, operators = terms
    return _evaluated(numbers, operators)


def _terms(tokens: list[str]) -> tuple[list[Decimal], list[str]] | None:
    """Numbers, and the operators between them; None unless there is nothing else, and something to be done."""
    numbers: list[Decimal] = []
    operators: list[str] = []
    at, has_function, is_root = 0, False, False
    while at < len(tokens):
        expects_number = len(numbers) == len(operators)
        if expects_number and (found := number_at(tokens, at)) is not None:
            number, at = found
            number, at, is_share = _share(number, tokens, at)
            numbers.append(number.sqrt() if is_root else number)
            operators += ["*"] if is_share else []
            has_function, is_root = has_function or is_root or is_share, False
        elif tokens[at : at + 2] == ["square", "root"] or tokens[at] == "√":
            is_root, at = True, at + (1 if tokens[at] == "√" else 2)
        elif not expects_number and tokens[at] in _OPERATORS and number_follows(tokens, at + 1):
            operators.append(_OPERATORS[tokens[at]])
            at += 1
        elif tokens[at] in _FILLERS:
            at += 1
        else:
            return None
    complete = len(numbers) == len(operators) + 1
    return (numbers, operators) if complete and (operators or has_function) else None


def number_follows(tokens: list[str], at: int) -> bool:
    """Whether nothing but fillers is before the next number."""
    while at < len(tokens) and (tokens[at] in _FILLERS or tokens[at] in ("square", "root")):
        if number_at(tokens, at) is not None:
            return True
        at += 1
    return at < len(tokens) and number_at(tokens, at) is not None


def _share(number: Decimal, tokens: list[str], at: int) -> tuple[Decimal, int, bool]:
    """A number of percent is a hundredth of it, of what follows."""
    words = tokens[at : at + 3]
    for sign in (["percent", "of"], ["per", "cent", "of"], ["%", "of"]):
        if words[: len(sign)] == sign:
            return number / 100, at + len(sign), True
    return number, at, False


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
