"""What plugins were asked for, and how they fared: as rows for machines, and as a table for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from glottis.plugins.manager import Plugin
from glottis.plugins.timing import Timing

HEADINGS: Final = ("PLUGIN", "DISTRIBUTION", "VERSION", "ASKED FOR", "CALLS", "ERRORS", "SLOW", "IN ALL", "P50", "P99")
_NAMES: Final = ("plugin", "distribution", "version", "askedFor")
_SUMS: Final = ("calls", "errors", "slow", "seconds")
_QUANTILES: Final = ("p50", "p99")
_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def figures(plugins: Iterable[Plugin]) -> list[dict[str, Any]]:
    """A row for all that each was asked for at least once; times in seconds."""
    return [
        {
            "plugin": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "askedFor": action,
            "calls": timing.calls,
            "errors": timing.errors,
            "slow": timing.overruns,
            "seconds": timing.total / 1e9,
            "p50": timing.quantile(0.5) / 1e9,
            "p99": timing.quantile(0.99) / 1e9,
        }
        for plugin, action, timing in asked(plugins)
    ]


def figures_of_all(told: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The figures of several processes together: sums, and quantiles of the slowest."""
    together: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in (row for rows in told for row in rows):
        name = tuple(row[part] for part in _NAMES)
        if (known := together.get(name)) is None:
            together[name] = dict(row)
            continue
        known.update({part: known[part] + row[part] for part in _SUMS})
        known.update({part: max(known[part], row[part]) for part in _QUANTILES})
    return list(together.values())


def table_of_figures(rows: Iterable[Mapping[str, Any]]) -> str:
    """The same as a table."""
    cells = [
        (
            *(row["plugin"], row["distribution"], row["version"], row["askedFor"]),
            *(str(row["calls"]), str(row["errors"]), str(row["slow"])),
            *(_shown(round(row[name] * 1e9)) for name in ("seconds", "p50", "p99")),
        )
        for row in rows
    ]
    return table([HEADINGS, *cells])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def asked(plugins: Iterable[Plugin]) -> Iterator[tuple[Plugin, str, Timing]]:
    """For what each plugin was asked at least once."""
    for plugin in plugins:
        for action, timing in sorted(plugin.timings.items()):
            if timing.calls:
                yield plugin, action, timing


def _shown(nanoseconds: int) -> str:
    """Three digits of it."""
    for size, unit in _UNITS:
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds} ns"
