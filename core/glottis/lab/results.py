"""What an experiment has given, as values and as CSV and JSON."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from glottis.contracts.errors import ConfigurationError
from glottis.lab.measures import Measures
from glottis.lab.plan import AXES
from glottis.lab.timing import Costs
from glottis.lab.trial import Result

MEASURES: Final = tuple(field.name for field in msgspec.structs.fields(Measures))
COSTS: Final = tuple(field.name for field in msgspec.structs.fields(Costs))
FILE: Final = "results.json"


class Row(Struct, frozen=True, kw_only=True):
    """A condition, and the hash of all that it depends on, by which what was heard is named."""

    key: str
    result: Result


class Results(Struct, frozen=True, kw_only=True):
    """All conditions of an experiment, in its order."""

    name: str
    rows: tuple[Row, ...]

    @property
    def failed(self) -> list[Row]:
        """Those without figures."""
        return [row for row in self.rows if row.result.error]

    def costs(self) -> Costs | None:
        """The sums of all, and the mean of a frame."""
        found = [row.result.costs for row in self.rows if row.result.costs is not None]
        if not found:
            return None
        sums = {name: sum(getattr(one, name) for one in found) for name in COSTS}
        return Costs(**{**sums, "frame_us": sums["frame_us"] / len(found)})


def naming(rows: Sequence[Row]) -> Callable[[Row], str]:
    """What to call what is compared in each network: by the axes on which these rows differ."""
    compared = ("speech", "codec", "delay", "protection", "agent")
    told = [axis for axis in compared if len({row.result.labels[axis] for row in rows}) > 1] or ["codec"]
    return lambda row: " · ".join(row.result.labels[axis] for axis in told)


def as_csv(rows: Iterable[Row]) -> str:
    """A line for each condition; the same conditions give the same bytes."""
    lines = (
        [row.result.labels[axis] for axis in AXES]
        + [_cell(getattr(row.result.measures, name, None)) for name in MEASURES]
        + [row.result.error, row.key]
        for row in rows
    )
    return _csv([*AXES, *MEASURES, "error", "key"], lines)


def costs_as_csv(rows: Iterable[Row]) -> str:
    """The same of what it has cost, which is another each time."""
    lines = (
        [row.result.labels[axis] for axis in AXES] + [_cell(getattr(row.result.costs, name, None)) for name in COSTS]
        for row in rows
    )
    return _csv([*AXES, *COSTS], lines)


def as_json(results: Results) -> bytes:
    """Without costs."""
    rows = tuple(
        msgspec.structs.replace(row, result=msgspec.structs.replace(row.result, costs=None)) for row in results.rows
    )
    return msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(results, rows=rows)), indent=1) + b"\n"


def load_results(path: Path) -> Results:
    """Of a folder of results, or of its ``results.json``. Raises ``ConfigurationError``."""
    file = path / FILE if path.is_dir() else path
    try:
        return msgspec.json.decode(file.read_bytes(), type=Results)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"{file}: cannot be read as results of `glottis lab run`: {error}") from None


def _csv(head: Sequence[str], lines: Iterator[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
