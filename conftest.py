"""What holds for every test: markers by folder, and the standard library's ``codecs`` in its place."""

import codecs
import faulthandler
import gc
import logging
import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Final

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

TESTS: Final = Path(__file__).parent / "tests"
ENGINES: Final = ("wire", "sdp", "ice", "turn", "dtls", "rtp", "sctp", "peer")
MARKERS: Final = {"browser": "browser", "interop": "interop", **dict.fromkeys(ENGINES, "engine")}

# For make quick and what counts coverage, and for make fuzz; see tests/support/examples.py. How long an example takes
# on a machine that is busy with other things says nothing.
UNTIMED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("whole", UNTIMED, derandomize=True)
settings.register_profile("quick", UNTIMED, max_examples=20, derandomize=True)
settings.register_profile("long", UNTIMED, max_examples=1000)

settings.load_profile("whole")  # the same examples in each run; long ones find others

# pytest names a test module by its path from here: codecs/opus/tests/test_opus.py becomes a child of ``codecs``. What
# sys.modules holds under that name would be replaced if it were no package; so it is said to be one.
codecs.__path__ = []

# Collecting tests makes much and drops little, which was looked through dozens of times.
gc.set_threshold(100_000, 50, 50)


class Alarm:
    """A test that hangs shows where, and ends the run.

    Pytest's own is set and taken back for each test, and each time a thread waits for another: on a busy machine that
    took more time than the tests. Here some tests share one.
    """

    def __init__(self, slack: float) -> None:
        self._seconds = 0.0
        self._slack = slack
        self._set_at: float | None = None
        self._stderr = os.dup(2)

    def test_begins(self, seconds: float) -> None:
        """It may take so long, and a little less where it shares an alarm."""
        now = monotonic()
        if self._set_at is None or now - self._set_at > self._slack or seconds != self._seconds:
            faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)
            self._set_at, self._seconds = now, seconds

    def tests_are_over(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._set_at = None


WAITING: Final = ("browser", "interop", "realtime")
PATIENT: Final = 600
"""Seconds for tests that wait for processes, each of which takes its time on a busy machine."""
ALARM: Final = pytest.StashKey[Alarm]()


def pytest_configure(config: pytest.Config) -> None:
    """Before what tests write is caught."""
    config.stash[ALARM] = Alarm(slack=5)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """A test with its fixtures."""
    alarm = item.config.stash[ALARM]
    waits = any(item.get_closest_marker(name) for name in WAITING)
    alarm.test_begins((PATIENT if waits else 125) * max(1, settings().max_examples // 100))
    try:
        return (yield)
    finally:
        if nextitem is None:
            alarm.tests_are_over()


def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Somebody may look for a while; pytest takes back the alarm."""
    node.config.stash[ALARM].tests_are_over()


def pytest_enter_pdb(config: pytest.Config) -> None:
    """The same."""
    config.stash[ALARM].tests_are_over()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Whatever a test configures: records that others leave would be counted, as text or as memory."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@cache
def marker_of(path: Path) -> str | None:
    """That of the folder in ``tests/`` that a module is in."""
    return MARKERS.get(path.relative_to(TESTS).parts[0]) if path.is_relative_to(TESTS) else None


def tries_examples(item: pytest.Item) -> bool:
    """Of a property, or in a loop that asks ``support.examples`` how many."""
    if not isinstance(item, pytest.Function):
        return False
    return is_hypothesis_test(item.function) or "examples" in item.function.__code__.co_names


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folders, and those that the whole run tries more of."""
    for item in items:
        if marker := marker_of(item.path):
            item.add_marker(marker)
        if tries_examples(item):
            item.add_marker("examples")


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: a sixth of the run went into looking through it for garbage."""
    set_aside()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A gateway that was served in a test looks itself after what Python collects, and gives all of it back.

    It collects everything at its start; without that nobody is asked how much is set aside, for Python counts it.
    """
    if (nextitem is None or nextitem.path != item.path) and WHOLE.grew() and not gc.get_freeze_count():
        set_aside()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Pytest has looked for what tests left; it would be done once more at the end of the process."""
    gc.freeze()


class WholeCollections:
    """How often all was looked through."""

    def __init__(self) -> None:
        self._count = 0

    def grew(self) -> bool:
        """Since the last question."""
        before, self._count = self._count, gc.get_stats()[2]["collections"]
        return self._count != before


WHOLE: Final = WholeCollections()


def set_aside() -> None:
    """What is there now, and is no garbage, is not looked at again."""
    gc.collect()
    gc.freeze()
    WHOLE.grew()
