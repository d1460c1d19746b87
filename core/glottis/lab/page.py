"""One page of HTML with all that an experiment has given: figures, pictures, and what was heard.

It needs no other file. All names come from files and settings, and are escaped.
"""

import base64
import io
import wave
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from glottis.lab.plan import AXES
from glottis.lab.results import MEASURES, Results, Row
from glottis.lab.timing import Costs

_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-size: 13px } th, td { padding: .25em .6em; border-bottom: 1px solid #ddd }
td { text-align: right; white-space: nowrap } td.name { text-align: left }
img { max-width: 100%; height: auto } div { overflow-x: auto }
audio { height: 2em; width: 14em } .error { color: #b00; text-align: left }
"""


def as_html(
    results: Results,
    pictures: Mapping[str, bytes],
    audio: Mapping[str, bytes],
    costs: Costs | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """``pictures`` are SVG by their titles, ``audio`` WAV files by the keys of rows."""
    name = escape(results.name)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ",
        'img-src data:; media-src data:">',
        f"<title>{name}</title><style>{_STYLE}</style></head><body>\n<h1>{name}</h1>",
        f"<p>{_summary(results, costs)}</p>",
        *(f"<p class='error'>{escape(warning)}</p>" for warning in warnings),
        *(f"<h2>{escape(title)}</h2>\n{_image(title, svg)}" for title, svg in pictures.items()),
        "<h2>Conditions</h2>",
        _table(results.rows, audio),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def excerpt(path: Path, seconds: float) -> bytes:
    """The beginning of a WAV file, as one."""
    with wave.open(str(path), "rb") as whole:
        count = min(whole.getnframes(), round(seconds * whole.getframerate()))
        parameters, data = whole.getparams(), whole.readframes(count)
    piece = io.BytesIO()
    with wave.open(piece, "wb") as part:
        part.setparams(parameters)
        part.writeframes(data)
    return piece.getvalue()


def _summary(results: Results, costs: Costs | None) -> str:
    text = f"{len(results.rows)} conditions, {len(results.failed)} of them failed."
    if costs is None:
        return text
    return text + (
        f" Processor: codec {costs.encoder + costs.decoder:.1f} s, engines {costs.engines:.1f} s,"
        f" judging {costs.judging:.1f} s; {costs.frame_us:.0f} µs a frame of 20 ms."
    )


def _image(title: str, svg: bytes) -> str:
    data = base64.b64encode(svg).decode()
    return f'<img alt="{escape(title)}" src="data:image/svg+xml;base64,{data}">'


def _table(rows: Sequence[Row], audio: Mapping[str, bytes]) -> str:
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in (*AXES, "heard", *MEASURES))
    body = "\n".join(_line(row, audio) for row in rows)
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def _line(row: Row, audio: Mapping[str, bytes]) -> str:
    cells = [f'<td class="name">{escape(row.result.labels[axis])}</td>' for axis in AXES]
    cells.append(f"<td>{_player(audio[row.key]) if row.key in audio else ''}</td>")
    if row.result.error:
        cells.append(f'<td class="error" colspan="{len(MEASURES)}">{escape(row.result.error)}</td>')
    else:
        cells += [f"<td>{_shown(getattr(row.result.measures, name))}</td>" for name in MEASURES]
    return f"<tr>{''.join(cells)}</tr>"


def _player(wav: bytes) -> str:
    return f'<audio controls preload="none" src="data:audio/wav;base64,{base64.b64encode(wav).decode()}"></audio>'


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))
