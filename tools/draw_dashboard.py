"""Draws the panels of docs/grafana-dashboard.json from a running Prometheus, by their own queries.

python tools/draw_dashboard.py http://127.0.0.1:9090 --minutes 8 > docs/images/dashboard.svg
"""

import argparse
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

DASHBOARD = Path(__file__).parent.parent / "docs" / "grafana-dashboard.json"
COLUMNS, WIDTH, HEIGHT = 3, 400, 210
PLOT = (56, 30, 328, 110)
"""Left, top, width and height of what is plotted in a panel."""
MOST = 6
"""Series in a panel, the greatest."""
STEP = 5
COLOURS = ("#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#8f8f8f")
UNITS = {"percentunit": (100, " %"), "s": (1000, " ms"), "bytes": (1e-6, " MB"), "ops": (1, "/s")}


class Series(NamedTuple):
    """A line: ``points`` are seconds since the beginning, and values."""

    name: str
    points: list[tuple[float, float]]


def asked(prometheus: str, target: dict[str, Any], start: float, end: float) -> Iterator[Series]:
    """What one query of a panel gives."""
    query = {"query": target["expr"].replace("$__rate_interval", "30s"), "start": start, "end": end, "step": STEP}
    with urllib.request.urlopen(f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(query)}") as answer:
        results = json.load(answer)["data"]["result"]
    for result in results:
        name = target["legendFormat"]
        for label, value in result["metric"].items():
            name = name.replace(f"{{{{{label}}}}}", value)
        points = [(float(moment) - start, float(value)) for moment, value in result["values"]]
        yield Series(name, [(moment, value) for moment, value in points if abs(value) < float("inf")])


def without_gaps(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """The parts of a line between which there was nothing."""
    part: list[tuple[float, float]] = []
    for point in points:
        if part and point[0] - part[-1][0] > 2 * STEP:
            yield part
            part = []
        part.append(point)
    yield part


def panel(title: str, unit: str, series: Sequence[Series], seconds: float) -> Iterator[str]:
    """Its axes, lines and legend."""
    left, top, width, height = PLOT
    chosen = sorted(series, key=lambda one: -max((value for _, value in one.points), default=0.0))[:MOST]
    most = max((value for one in chosen for _, value in one.points), default=0.0) or 1.0
    factor, suffix = (1, " s") if unit == "s" and most >= 1 else UNITS.get(unit, (1, ""))
    yield f'<rect x="2" y="2" width="{WIDTH - 4}" height="{HEIGHT - 4}" rx="4" fill="#ffffff" stroke="#d8d9da"/>'
    yield f'<text x="12" y="20" font-weight="bold">{escape(title)}</text>'
    for share in (0.0, 0.5, 1.0):
        y = top + height * (1 - share)
        yield f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e9edf2"/>'
        yield f'<text x="{left - 4}" y="{y + 3:.1f}" text-anchor="end">{most * share * factor:.3g}{suffix}</text>'
    for index, one in enumerate(chosen):
        colour = COLOURS[index]
        for part in without_gaps(one.points):
            steps = [
                f"{left + width * moment / seconds:.1f},{top + height * (1 - max(0.0, value) / most):.1f}"
                for moment, value in part
            ]
            yield f'<polyline points="{" ".join(steps)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        x, y = 12 + (index % 2) * 190, 160 + (index // 2) * 15
        yield f'<rect x="{x}" y="{y - 7}" width="10" height="3" fill="{colour}"/>'
        yield f'<text x="{x + 14}" y="{y}">{escape(one.name[:32])}</text>'


def drawing(prometheus: str, minutes: float) -> Iterator[str]:
    """All panels."""
    end = time.time()
    start = end - 60 * minutes
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rows = -(-len(panels) // COLUMNS)
    size = f"{COLUMNS * WIDTH} {rows * HEIGHT}"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" font-size="11">'
    for index, one in enumerate(panels):
        series = [found for target in one["targets"] for found in asked(prometheus, target, start, end)]
        yield f'<g transform="translate({index % COLUMNS * WIDTH},{index // COLUMNS * HEIGHT})">'
        yield from panel(one["title"], one["fieldConfig"]["defaults"]["unit"], series, end - start)
        yield "</g>"
    yield "</svg>"


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus")
    parser.add_argument("--minutes", type=float, default=8.0)
    options = parser.parse_args()
    print("\n".join(drawing(options.prometheus, options.minutes)))


if __name__ == "__main__":
    main()
