"""Lengths of time in words: "an hour and a half", "one minute thirty"."""

from decimal import Decimal
from typing import Final

from glottis_skills.numbers import in_figures, number_at, tokens_of

_SECONDS: Final = {
    word: seconds
    for seconds, words in {
        1: "second seconds sec secs",
        60: "minute minutes min mins",
        3600: "hour hours",
        86400: "day days",
    }.items()
    for word in words.split()
}
UNITS_OF_TIME: Final = tuple(word for word in _SECONDS if len(word) > 3)
_NAMES: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_FRACTIONS: Final = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}


def duration_in(text: str) -> int | None:
    """Whole seconds of the first length of time in a text; None where there is none."""
    tokens = [token for token in tokens_of(text) if token not in ("of", "-")]
    total, found, at, last = Decimal(0), False, 0, 0
    while at < len(tokens):
        amount, behind = _amount(tokens, at)
        unit = _SECONDS.get(tokens[behind], 0) if amount is not None and behind < len(tokens) else 0
        if amount is not None and unit:
            total, found, at, last = total + amount * unit, True, behind + 1, unit
            half = _half_after(tokens, at)
            total, at = total + half * unit, at + (3 if half else 0)
        elif found and amount is not None and last >= 60 and behind == len(tokens):
            return int(total + amount * last / 60)  # "one minute thirty"
        elif found and tokens[at] != "and":
            break
        else:
            at += 1
    return int(total) if found else None


def spoken_duration(seconds: int) -> str:
    """Such as "1 hour and 20 minutes"."""
    parts: list[str] = []
    for unit, name in _NAMES:
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{in_figures(Decimal(count))} {name}{'s' if count > 1 else ''}")
    if not parts:
        return "no time"
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _amount(tokens: list[str], at: int) -> tuple[Decimal | None, int]:
    """How many, and where the unit is expected; "half an hour" has half of them."""
    if (fraction := _FRACTIONS.get(tokens[at])) is not None and tokens[at + 1 : at + 2] in (["a"], ["an"]):
        return fraction, at + 2
    if (found := number_at(tokens, at)) is not None:
        return found
    if tokens[at] in ("a", "an", "another", "the"):
        fraction = _FRACTIONS.get(tokens[at + 1]) if at + 1 < len(tokens) else None
        if fraction is not None:  # "a quarter of an hour"
            return fraction, at + 2 + (tokens[at + 2 : at + 3] in (["a"], ["an"]))
        return Decimal(1), at + 1
    return None, at


def _half_after(tokens: list[str], at: int) -> Decimal:
    if tokens[at : at + 2] in (["and", "a"], ["in", "a"], ["in", "the"]) and at + 2 < len(tokens):  # as it is heard
        return _FRACTIONS.get(tokens[at + 2], Decimal(0))
    return Decimal(0)
