"""The walks through the house that docs/architecture.md describes are those that a call takes."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

import glottis
import pytest
from support.gateway import open_test_gateway
from support.markdown import Document
from support.phone import open_exchange

SOURCES = Path(glottis.__file__).parent
ARCHITECTURE = Document(Path(__file__).parents[2] / "docs" / "architecture.md")
STEP = re.compile(r"^(\d+)\. `([\w/]+\.py)`: `([\w.]+)`", re.MULTILINE)

Step = tuple[str, str]
"""A file of the core, and the qualified name of a function there."""


def walks() -> list[list[Step]]:
    """A list of steps begins with 1."""
    found: list[list[Step]] = []
    for number, file, function in STEP.findall(ARCHITECTURE.prose):
        if number == "1":
            found.append([])
        found[-1].append((file, function))
    return found


class Tracer:
    """Sees which walks are taken: whether all steps before the last one have led to it, in their order."""

    def __init__(self, walks: list[list[Step]]) -> None:
        self.missing = walks
        self._ends = {walk[-1] for walk in walks}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and step_of(frame) in self._ends:
            way = list(callers(frame))
            self.missing = [walk for walk in self.missing if not leads_along(way, walk)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)


def step_of(frame: FrameType) -> Step:
    return file_of(frame.f_code.co_filename), frame.f_code.co_qualname


@cache
def file_of(path: str) -> str:
    """Relative to the core, and empty outside of it. Asked for at every call of a function, while media waits."""
    return Path(path).relative_to(SOURCES).as_posix() if path.startswith(str(SOURCES)) else ""


def callers(frame: FrameType | None) -> Iterator[Step]:
    """Innermost first."""
    while frame is not None:
        yield step_of(frame)
        frame = frame.f_back


def leads_along(way: list[Step], walk: list[Step]) -> bool:
    if way[0] != walk[-1]:
        return False
    rest = iter(way)
    return all(step in rest for step in reversed(walk))


@pytest.mark.slow
async def test_a_call_takes_the_walks_that_are_described(tmp_path: Path) -> None:
    tracer = Tracer(walks())
    assert len(tracer.missing) == 7
    async with open_test_gateway(tmp_path) as gateway, open_exchange(gateway) as exchange:
        with tracer.at_work():
            phone = await exchange.call()
            await phone.hear()
    assert tracer.missing == []
