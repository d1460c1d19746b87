"""No regular expression takes steps back over and over: what that costs, no measure of operations sees."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import glottis
import pytest
from support.backtracking import Backtracker

pytestmark = pytest.mark.slow


def patterns() -> Iterator[Any]:
    """Those of all modules of the core, by their names."""
    for module in pkgutil.walk_packages(glottis.__path__, "glottis."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                for pattern in value.values() if isinstance(value, dict) else [value]:
                    if isinstance(pattern, re.Pattern):
                        yield pytest.param(pattern, id=f"{module.name}.{name}")


@pytest.mark.parametrize("pattern", [*patterns()])
def test_a_text_takes_few_steps_for_each_character(pattern: "re.Pattern[Any]") -> None:
    backtracker = Backtracker(pattern)
    for text in backtracker.samples():
        assert backtracker.steps(text) <= 40 * (len(text) + 10), text


def test_a_sample_fits_its_expression() -> None:
    for param in patterns():
        (pattern,) = param.values
        sample = next(Backtracker(pattern).samples())
        assert pattern.fullmatch(sample.encode() if isinstance(pattern.pattern, bytes) else sample), pattern


@pytest.mark.parametrize("expression", [r"(a+)+b", r"(a|a)*b", r"a*a*a*b", r"\s*a?\s*b?\s*c", r"(a|aa)+b"])
def test_expressions_that_go_back_over_and_over_are_found(expression: str) -> None:
    backtracker = Backtracker(re.compile(expression))
    assert max(backtracker.steps(text) / (len(text) + 10) for text in backtracker.samples()) > 40
