"""A plugin of pytest-xdist: which tests go one after the other in one of its processes, while others go beside them.

``python -m pytest -n 4 --dist=loadscope -p tools.lanes tests/browser`` is how ``make by-the-clock`` uses it.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT: Final = Path(__file__).parents[1]
FIREFOX: Final = re.compile(r"\[(.*-)?firefox(-.*)?\]$")


def lane_of(node_id: str) -> str:
    """What is shared: a browser's process, which takes seconds of the processor to start, or a module's fixtures.

    A test that shares nothing is a lane of its own.
    """
    if FIREFOX.search(node_id):
        return "firefox"
    module, _, _ = node_id.partition("::")
    if module.startswith("tests/browser/"):
        return "chromium"
    return module if shares_fixtures(module) else node_id


@cache
def shares_fixtures(module: str) -> bool:
    """Whether its tests have something in common that one of them sets up."""
    return 'scope="module"' in (ROOT / module).read_text()


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """A process that is free takes the lane that comes next, as tests were named."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    """See pytest-xdist."""
    return Lanes(config, log)
