"""Pictures of results, as PNG and as SVG. The same results give the same bytes."""

import io
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

from glottis.lab.measures import Timeline
from glottis.lab.results import Row, naming

FORMATS: Final = ("png", "svg")
MAX_LINES: Final = 12
"""More lines in one picture cannot be told apart."""
_SIZE: Final = (8.0, 4.0)


def delay_over_time(timelines: Sequence[tuple[str, Timeline]]) -> Figure:
    """From mouth to ear, a line for each, with the lost packets of the first as marks below."""
    figure, axes = new_figure("speech, s", "mouth to ear, ms")
    for label, timeline in timelines[:MAX_LINES]:
        axes.plot(timeline.delay_at_s, timeline.delay_ms, label=label, linewidth=1.2, marker=".", markersize=3)
    if timelines:
        first = timelines[0][1]
        height = 1.1 * max((delay for _, timeline in timelines for delay in timeline.delay_ms), default=100.0)
        axes.set_ylim(0, height)
        axes.vlines(first.lost_s, 0, 0.04 * height, colors="crimson", linewidth=0.8, label="lost")
        for event in first.events:
            axes.axvspan(event.begins_s, event.ends_s, color="grey", alpha=0.3)
    legend(axes)
    return figure


def quality_against_loss(rows: Iterable[Row], measure: str = "pesq") -> Figure:
    """A line for each codec, delay and protection, with a point for each network: the means of its seeds."""
    figure, axes = new_figure("lost by the network, %", "PESQ-WB" if measure == "pesq" else measure)
    rows = list(rows)
    name = naming(rows)
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if (measures := row.result.measures) is not None:
            labels = row.result.labels
            points = lines.setdefault(name(row), {}).setdefault(labels["network"], [])
            points.append((100 * measures.lost, getattr(measures, measure)))
    places: dict[str, tuple[float, float]] = {}
    for line, networks in list(lines.items())[:MAX_LINES]:
        means = {
            network: (fmean(x for x, _ in points), fmean(y for _, y in points)) for network, points in networks.items()
        }
        axes.plot(*zip(*sorted(means.values()), strict=True), marker="o", label=line)
        places = places or means
    for network, place in places.items():
        axes.annotate(network, place, xytext=(4, -9), textcoords="offset points", fontsize=6, color="dimgrey")
    legend(axes)
    return figure


def rendered(figure: Figure, kind: str) -> bytes:
    """As a file of this format, without the day on which it was made."""
    data = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "glottis", "svg.fonttype": "none"}):
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(data, format=kind, dpi=100, metadata=metadata)
    return data.getvalue()


def new_figure(across: str, up: str) -> tuple[Figure, Any]:
    """With axes that are called so."""
    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.1, 0.13, 0.88, 0.84))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    return figure, axes


def legend(axes: Any) -> None:
    """Where there is something to tell apart."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7)
