"""The figures as Markdown, as docs/quality.md has them, and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.voice.networks import Case
from benchmarks.voice.score import Score, middle

_HEAD = (
    "| network | towards | PESQ-WB | STOI | mouth to ear, ms | 95 % of it | to the socket, ms | gap, ms | kbit/s |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
_TOWARDS = {"up": "gateway", "down": "caller", "": ""}


@dataclass(frozen=True, slots=True)
class Row:
    """A case, and the scores of all its seeds."""

    case: Case
    scores: Sequence[Score]


def as_markdown(rows: Sequence[Row]) -> str:
    """A table of medians, with the range of PESQ over the seeds."""
    return "\n".join([_HEAD, *map(_line, rows)])


def as_markdown_beside(tables: Mapping[str, Sequence[Row]]) -> str:
    """The cases that all stacks were tried with, a stack in each column: PESQ-WB, mouth to ear and the longest gap."""
    scores = {stack: {row.case.title: middle(row.scores) for row in rows} for stack, rows in tables.items()}
    first, *others = scores
    lines = [f"| network | towards | {' | '.join(scores)} |", f"|---|---|{'---|' * len(scores)}"]
    for row in tables[first]:
        title = row.case.title
        if others and all(title in scores[stack] for stack in others):
            cells = [_in_short(scores[stack][title]) for stack in scores]
            lines.append(f"| {row.case.name} | {_TOWARDS[row.case.direction]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _in_short(score: Score) -> str:
    gap = f", gap {1000 * score.gap:.0f}" if score.gap else ""
    return f"{score.pesq:.2f}, {1000 * score.delay:.0f} ms{gap}"


def as_json(tables: dict[str, Sequence[Row]]) -> str:
    """All figures of all seeds, by stack and case."""
    return json.dumps(
        {
            stack: {row.case.title: [asdict(score) for score in row.scores] for row in rows}
            for stack, rows in tables.items()
        },
        indent=1,
    )


def _line(row: Row) -> str:
    median = middle(row.scores)
    ratings = [score.pesq for score in row.scores]
    spread = f" ({min(ratings):.2f}–{max(ratings):.2f})" if len(ratings) > 1 else ""
    cells = [
        row.case.name,
        _TOWARDS[row.case.direction],
        f"{median.pesq:.2f}{spread}",
        f"{median.stoi:.2f}",
        *(f"{1000 * seconds:.0f}" for seconds in (median.delay, median.delay_95, median.network_delay, median.gap)),
        f"{median.kbits:.0f}",
    ]
    return f"| {' | '.join(cells)} |"
