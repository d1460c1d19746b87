"""What plugins were asked for, and how they fared: as rows for machines, and as a table for people."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from glottis.plugins.manager import Plugin
from glottis.plugins.timing import Timing

HEADINGS: Final = ("PLUGIN", "DISTRIBUTION", "VERSION", "ASKED FOR", "CALLS", "ERRORS", "SLOW", "IN ALL", "P50", "P99")
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


def table_of_figures(plugins: Iterable[Plugin]) -> str:
    """The same as a table."""
    rows = [
        (
            *(plugin.name, plugin.distribution, plugin.version, action),
            *(str(timing.calls), str(timing.errors), str(timing.overruns)),
            *(_shown(timing.total), _shown(timing.quantile(0.5)), _shown(timing.quantile(0.99))),
        )
        for plugin, action, timing in asked(plugins)
    ]
    return table([HEADINGS, *rows])


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
