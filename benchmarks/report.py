"""The tables, for people."""

from collections.abc import Sequence
from typing import Final

from benchmarks.aims import Aim
from benchmarks.measurement import LATE_MS
from benchmarks.rounds import HIGH_LOAD, Results, Row
from benchmarks.scenarios import Kind
from benchmarks.spread import spread

_COLUMNS: Final = (
    (23, "CPU", "ms per call-second"),
    (19, "÷ codec", "hot"),
    (19, "÷ codec", "in place"),
    (24, "lateness, ms", "p50 / p99"),
    (16, "late", "packets"),
    (22, "first audio, ms", "p50 / p99"),
    (32, "KiB per call", "all / own"),
)
_NAME_WIDTH: Final = 40
QUIET: Final = "quiet"


def print_results(results: Results) -> None:
    """A table for each way to serve a call; each figure is a median, with the lowest and the highest where they fit."""
    titles = {
        Kind.ECHO: "Echo of decoded audio",
        Kind.PASS_THROUGH: "Echo of encoded packets (the codec's cost is that of 48 kHz, complexity 5)",
        Kind.AIORTC: "aiortc: echo of decoded audio, in stereo at 96 kbit/s",
    }
    for kind, title in titles.items():
        rows = [row for row in results.rows.values() if row.scenario.kind is kind]
        if rows:
            _print_rows(title, rows)
    if results.busy is not None:
        _print_rows(f"Echo at {HIGH_LOAD:.0%} load of one core", [results.busy])
    if results.setup:
        _print_setup(results)


def print_aims(aims: Sequence[Aim]) -> None:
    """Each aim, what was measured, and whether it is reached."""
    print("\nAims")
    width = max((len(aim.sentence) for aim in aims), default=0) + 2
    for aim in aims:
        limit = f"{'≥' if aim.at_least else '≤'} {aim.limit:g}"
        print(f"{aim.sentence.ljust(width)}{limit:>8}{aim.measured.shown():>24}  {aim.verdict}", flush=True)


def in_words(complaints: Sequence[str]) -> str:
    """What is to be thought of the machine."""
    return f"too noisy to judge: {', '.join(complaints)}" if complaints else QUIET


def _print_rows(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}")
    widths = [width for width, _, _ in _COLUMNS]
    print(" " * _NAME_WIDTH + _aligned([first for _, first, _ in _COLUMNS], widths) + "  machine")
    print(" " * _NAME_WIDTH + _aligned([second for _, _, second in _COLUMNS], widths))
    for row in rows:
        cells = _aligned(_cells(row), widths)
        print(f"{row.scenario.name.ljust(_NAME_WIDTH)}{cells}  {_remark(row)}", flush=True)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _remark(row: Row) -> str:
    failed = f"calls did not come up in {row.failures} of {len(row.rounds)} rounds; " if row.failures else ""
    return failed + in_words(row.complaints)


def _cells(row: Row) -> list[str]:
    aiortc = row.scenario.kind is Kind.AIORTC  # its codec does other work
    late = row.of(lambda one: one.late)
    return [
        row.of(lambda one: one.cpu).shown(),
        "–" if aiortc else row.to_codec(lambda codec: codec.hot).shown(),
        "–" if aiortc else row.to_codec(lambda codec: codec.in_place).shown(),
        f"{row.of(lambda one: one.lateness_p50).median:.1f} / {row.of(lambda one: one.lateness_p99).shown(1)}",
        f"{late.median:.2%} (≤{late.high:.1%})",
        f"{row.of(lambda one: one.first_audio_p50).median:.0f} / {row.of(lambda one: one.first_audio_p99).shown(0)}",
        f"{row.of(lambda one: one.resident_kib).shown(0)} / {row.of(lambda one: one.own_kib).shown(0)}",
    ]


def _print_setup(results: Results) -> None:
    rows = (
        ("CPU of a session alone, ms", [one.session for one in results.setup]),
        ("CPU of a call's set-up, ms", [one.connecting for one in results.setup]),
        ("memory of an answered session without media, kB", [one.answered_kib * 1.024 for one in results.setup]),
    )
    print(f"\nSetting up and ending calls at 5 a second   {in_words(results.setup_complaints)}")
    for name, values in rows:
        print(f"{name.ljust(_NAME_WIDTH + 10)}{spread(values).shown(1)}")


LEGEND: Final = f"""\
Medians of all rounds (lowest–highest). Late is a packet {LATE_MS} ms after its call's earliest, or not at all.
Codec: decoding and encoding alone; hot: one stream in a loop; in place: as many streams as calls, woken every 5 ms.
First audio: from the offer. KiB: of the resident set; own: without codec and DTLS. kB are 1000 bytes."""
