"""Writes all files of an experiment's results into their folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from glottis.lab.page import as_html, excerpt
from glottis.lab.plots import FORMATS, delay_over_time, quality_against_loss, rendered
from glottis.lab.results import FILE, Results, as_csv, as_json, costs_as_csv, naming
from glottis.lab.running import Kept
from glottis.lab.waterfall import waterfall

PAGE: Final = "report.html"
MAX_AUDIO_BYTES: Final = 100_000_000
"""Of all that can be listened to on the page; the rest is in files."""


def write_report(
    results: Results, kept: Kept, folder: Path, audio_seconds: float, warnings: Sequence[str] = ()
) -> Path:
    """Returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(as_json(results))
    (folder / "results.csv").write_text(as_csv(results.rows), encoding="utf-8")
    (folder / "costs.csv").write_text(costs_as_csv(results.rows), encoding="utf-8")
    pictures = {}
    for name, title, figure in _figures(results):
        for kind in FORMATS:
            (folder / f"{name}.{kind}").write_bytes(rendered(figure, kind))
        pictures[title] = (folder / f"{name}.svg").read_bytes()
    page = folder / PAGE
    audio = _audio(results, kept, audio_seconds)
    page.write_text(as_html(results, pictures, audio, results.costs(), warnings), encoding="utf-8")
    return page


def _figures(results: Results) -> Iterator[tuple[str, str, Figure]]:
    first_seed = [row for row in results.rows if row.result.labels["seed"] == "0" and not row.result.error]
    yield "quality-against-loss", "Quality against loss", quality_against_loss(results.rows)
    name = naming(results.rows)
    networks = list(dict.fromkeys(row.result.labels["network"] for row in first_seed))
    for number, network in enumerate(networks):
        rows = [row for row in first_seed if row.result.labels["network"] == network]
        lines = [(name(row), row.result.timeline) for row in rows if row.result.timeline is not None]
        yield f"delay-over-time-{number}", f"Delay over time: {network}", delay_over_time(lines)
        if turns := [(name(row), row.result.turns) for row in rows if row.result.turns]:
            yield f"turns-{number}", f"Turns: {network}", waterfall(turns)


def _audio(results: Results, kept: Kept, seconds: float) -> dict[str, bytes]:
    """Of the first seed, as far as it fits."""
    audio: dict[str, bytes] = {}
    size = 0
    for row in results.rows:
        if row.result.labels["seed"] == "0" and not row.result.error and seconds and size < MAX_AUDIO_BYTES:
            audio[row.key] = excerpt(kept.audio_of(row.key), seconds)
            size += len(audio[row.key])
    return audio
