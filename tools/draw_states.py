"""Draws the tables of states into docs/states.md: ``python tools/draw_states.py [FILE]``."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "core" / "glottis"
TABLES: Final = sorted(SOURCES.glob("**/states.py"))
"""Each has a dictionary ``TRANSITIONS`` from (state, happening) to state."""
PAGE: Final = ROOT / "docs" / "states.md"
INTRODUCTION: Final = """# States

What moves the parts of a call from state to state. Drawn from the tables in the code by `tools/draw_states.py`: change
those, and run it. What is not in a table changes nothing.
"""

Transitions = Mapping[tuple[Enum, Enum], Enum]


def page() -> str:
    """The whole document."""
    return "\n".join([INTRODUCTION, *map(_section, TABLES)])


def _section(table: Path) -> str:
    room = table.parent.relative_to(SOURCES)
    module = importlib.import_module(".".join(["glottis", *room.parts, table.stem]))
    title = str(module.__doc__).removesuffix(", as data.")
    lines = [f"## {room}", "", f"{title}: `{table.relative_to(ROOT)}`.", "", *_diagram(module.TRANSITIONS)]
    return "\n".join([*lines, *_from_everywhere(module.TRANSITIONS), ""])


def _diagram(transitions: Transitions) -> Iterator[str]:
    """Mermaid; an arrow for each pair of states, with all that leads from one to the other."""
    arrows: dict[tuple[Enum, Enum], list[str]] = {}
    everywhere = _everywhere(transitions)
    for (state, happening), following in transitions.items():
        if happening not in everywhere:
            arrows.setdefault((state, following), []).append(happening.value)
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {next(iter(_states(transitions))).name}"
    for (state, following), happenings in arrows.items():
        yield f"    {state.name} --> {following.name}: {'<br>'.join(happenings)}"
    yield "```"


def _from_everywhere(transitions: Transitions) -> Iterator[str]:
    for happening, following in _everywhere(transitions).items():
        yield ""
        yield f"From every state to {following.name}: {happening.value}."


def _everywhere(transitions: Transitions) -> dict[Enum, Enum]:
    """What leads from every state to one and the same; as arrows it would hide the others."""
    targets: dict[Enum, list[Enum]] = {}
    for (_, happening), following in transitions.items():
        targets.setdefault(happening, []).append(following)
    count = len(_states(transitions))
    return {happening: ends[0] for happening, ends in targets.items() if len(ends) == count and len(set(ends)) == 1}


def _states(transitions: Transitions) -> type[Enum]:
    """The enumeration of states; the first one is where all begins."""
    return type(next(iter(transitions.values())))


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(page(), encoding="utf-8")
