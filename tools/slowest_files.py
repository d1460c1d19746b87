"""A plugin of pytest: tells which files of tests take the most of the processor, their children's time included.

``make quick SLOWEST=1`` has it for both halves; ``python -m pytest -p tools.slowest_files tests/ice`` for others.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Generator
from typing import Final

import pytest

SHOWN: Final = 10
SECONDS: Final[defaultdict[str, float]] = defaultdict(float)
TESTS: Final[Counter[str]] = Counter()


def processor_time() -> float:
    """Seconds of this process, and of those that it has waited for."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """One test with its fixtures; those that it is the first to use are its own."""
    start = processor_time()
    result = yield
    file = item.nodeid.partition("::")[0]
    SECONDS[file] += processor_time() - start
    TESTS[file] += 1
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each."""
    terminalreporter.section(f"{SHOWN} slowest files of {len(SECONDS)}, which take {sum(SECONDS.values()):.1f} s")
    for file, seconds in sorted(SECONDS.items(), key=lambda entry: -entry[1])[:SHOWN]:
        terminalreporter.write_line(f"{seconds:6.2f} s {TESTS[file]:4} tests  {file}")
