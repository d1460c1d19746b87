"""What holds for every test: markers by folder, and the standard library's ``codecs`` in its place."""

import codecs
import gc
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

TESTS: Final = Path(__file__).parent / "tests"
ENGINES: Final = ("wire", "sdp", "ice", "turn", "dtls", "rtp", "sctp", "peer")
MARKERS: Final = {"browser": "browser", "interop": "interop", **dict.fromkeys(ENGINES, "engine")}

# For make quick; see tests/support/examples.py.
settings.register_profile("quick", max_examples=20)

# pytest names a test module by its path from here: codecs/opus/tests/test_opus.py becomes a child of ``codecs``. What
# sys.modules holds under that name would be replaced if it were no package; so it is said to be one.
codecs.__path__ = []

# Collecting tests makes much and drops little, which was looked through dozens of times.
gc.set_threshold(100_000, 50, 50)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folders."""
    for item in items:
        if marker := marker_of(item.path):
            item.add_marker(marker)


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
