"""The skill ``units``: "how many kilometres are five miles", "convert 70 degrees Fahrenheit to Celsius"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from glottis_conversation import Floor, Request, Tool, tool_of

from glottis_skills.numbers import in_figures, number_at, tokens_of
from glottis_skills.phrases import PARTLY, plain


@dataclass(frozen=True, slots=True)
class Unit:
    """So many of its dimension's own, counted from ``zero`` of it."""

    dimension: str
    factor: Decimal
    name: str
    zero: Decimal = Decimal(0)


_TABLE: Final = """
length 0.001 millimetres millimetre mm millimeter millimeters
length 0.01 centimetres centimetre cm centimeter centimeters
length 0.0254 inches inch
length 0.3048 feet foot
length 0.9144 yards yard
length 1 metres metre meter meters
length 1000 kilometres kilometre km kilometer kilometers
length 1609.344 miles mile
mass 0.001 grams gram g gramme grammes
mass 0.028349523125 ounces ounce
mass 0.45359237 pounds pound lb lbs
mass 6.35029318 stone stones
mass 1 kilograms kilogram kg kilo kilos
mass 1000 tonnes tonne ton tons
volume 0.001 millilitres millilitre ml milliliter milliliters
volume 0.2365882365 cups cup
volume 0.473176473 pints pint
volume 1 litres litre liter liters
volume 3.785411784 gallons gallon
time 1 seconds second
time 60 minutes minute
time 3600 hours hour
time 86400 days day
time 604800 weeks week
"""
UNITS: Final = {
    name: Unit(dimension, Decimal(factor), names[0])
    for dimension, factor, *names in map(str.split, _TABLE.strip().splitlines())
    for name in names
} | {
    "celsius": Unit("temperature", Decimal(1), "degrees Celsius"),
    "centigrade": Unit("temperature", Decimal(1), "degrees Celsius"),
    "fahrenheit": Unit("temperature", Decimal(5) / 9, "degrees Fahrenheit", zero=Decimal(32)),
}  # fmt: skip
_ASKS: Final = re.compile(r"\b(?:how (?:many|much)|convert|what is|what's|in|to|into)\b")
_SAYINGS: Final = (
    "how many {unit} are {number} {unit}",
    "how many {unit} are in {number} {unit}",
    "how many {unit} are in a {unit}",
    "convert {number} {unit} to {unit}",
    "convert {number} degrees {unit} to {unit}",
    "what is {number} {unit} in {unit}",
    "what is {number} degrees {unit} in {unit}",
)


class Units:
    """The skill."""

    def __init__(self, settings: None) -> None: ...

    def tools(self, floor: Floor) -> Sequence[Tool]:
        """One that converts."""
        return [tool_of(convert_units, _hear, example="how many kilometres are five miles", sayings=_SAYINGS)]


async def convert_units(amount: float, from_unit: str, to_unit: str) -> str:
    """An amount in another unit of length, mass, volume, time or temperature; units in words, such as "miles"."""
    before, after = UNITS.get(from_unit.lower()), UNITS.get(to_unit.lower())
    if before is None or after is None or before.dimension != after.dimension:
        raise ValueError(f"cannot convert {from_unit[:40]} to {to_unit[:40]}")
    given = Decimal(str(amount))
    if not given.is_finite() or abs(given) > Decimal(10) ** 15:
        raise ValueError("expected an amount of at most 15 digits")
    result = (given - before.zero) * before.factor / after.factor + after.zero
    places = 2 if abs(result) >= 1 else 4
    return f"{in_figures(given)} {_named(before, given)} are {in_figures(result, places)} {after.name}."


def _named(unit: Unit, amount: Decimal) -> str:
    return (
        unit.name
        if amount != 1 or unit.dimension == "temperature"
        else next(name for name, each in UNITS.items() if each.name == unit.name and name != unit.name)
    )


def _hear(text: str) -> Request | None:
    words = plain(text)
    if not words or not _ASKS.search(words):
        return None
    tokens = [token for token in tokens_of(words) if token not in ("degree", "degrees", "of")]
    found = [(at, tokens[at]) for at in range(len(tokens)) if tokens[at] in UNITS]
    if len(found) != 2 or not _are_convertible(UNITS[found[0][1]], UNITS[found[1][1]]):
        return None
    amounts = {unit: _amount_before(tokens, at) for at, unit in found}
    (first, second) = (found[0][1], found[1][1])
    is_in_order = amounts[first] is not None or (amounts[second] is None and "convert" in tokens)
    (given, other) = (first, second) if is_in_order else (second, first)
    amount = amounts[given]
    request = {"amount": float(1 if amount is None else amount), "from_unit": given, "to_unit": other}
    return Request(request, PARTLY if amount is None else 0.95)


def _are_convertible(one: Unit, other: Unit) -> bool:
    return one.dimension == other.dimension and one != other


def _amount_before(tokens: list[str], at: int) -> Decimal | None:
    """The number that ends before a unit: the longest."""
    for start in range(max(0, at - 8), at):
        if (number := number_at(tokens, start)) is not None and number[1] == at:
            return number[0]
    if tokens[at - 2 : at] in (["are", "to"], ["is", "to"], ["are", "too"], ["is", "too"]):  # as it is heard
        return Decimal(2)
    return Decimal(1) if tokens[at - 1 : at] in (["a"], ["an"]) else None
