"""A plugin of pytest: coverage counts what the calls of tests take, and does not slow down all around them.

While it counts, each step of Python takes several times as long, of whatever file. The modules that it counts are
imported first, for what they say outside functions is counted, too; then it waits for the tests.
"""

import importlib
import pkgutil
import sys
from collections.abc import Generator
from typing import Final

import coverage
import pytest
from hypothesis import strategies

COUNTER: Final = coverage.Coverage.current()
if COUNTER is None:
    raise pytest.UsageError("tools.counted_calls is for coverage run -m pytest")
PACKAGES: Final = COUNTER.get_option("run:source_pkgs")
assert isinstance(PACKAGES, list)
for package in PACKAGES:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
TRACER: Final = sys.gettrace()
sys.settrace(None)


def pytest_collection_finish() -> None:
    """Who asks hypothesis for text first waits until it has looked at all of Unicode."""
    strategies.text().validate()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Without collecting, fixtures and reports."""
    sys.settrace(TRACER)
    try:
        return (yield)
    finally:
        sys.settrace(None)
