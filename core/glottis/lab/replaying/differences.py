"""Where two outcomes of a call differ, in words."""

from collections.abc import Iterator, Sequence
from typing import Final

from glottis.lab.replaying.outcome import BIN, DELAY, SILENCE, Outcome, Spoke, Wrote

TOLERANCE: Final = 0.02
"""Of each figure, as a share."""
SLACK: Final = {DELAY: 2.0, "packets": 0.0, "Samples": 960.0}
"""By how much figures may differ at least, by their names: milliseconds, and 20 ms of samples at 48 kHz."""
TIME_SLACK: Final = 0.1
"""Seconds."""
LEVEL_SLACK: Final = 3
"""dB, which hardly anybody hears in a tenth of a second."""
MOST: Final = 5
"""Of a kind that are told one by one."""


def differences(before: Outcome, now: Outcome, *, has_agent: bool, tolerance: float = TOLERANCE) -> tuple[str, ...]:
    """Beyond tolerance. What was not kept of either differs in nothing; without an agent nobody has spoken."""
    found: list[str] = []
    if before.ended_at - now.ended_at <= TIME_SLACK:  # else there is less of everything
        found += [*_figures(before, now, tolerance), *_sound(before, now)]
    if before.keys is not None and now.keys is not None and before.keys != now.keys:
        found.append(f"keys: {before.keys or 'none'} before, now {now.keys or 'none'}")
    if has_agent:
        found += [*_ends(before, now), *_speech(before.spoke, now.spoke)]
        found += [*_written("messages", before.wrote, now.wrote), *_written("events", before.events, now.events)]
    return tuple(found)


def _figures(before: Outcome, now: Outcome, tolerance: float) -> Iterator[str]:
    if before.figures is None or now.figures is None:
        return
    for name, value in before.figures.items():
        other = now.figures.get(name, 0.0)
        slack = next((least for part, least in SLACK.items() if part in name), 0.0)
        if abs(value - other) > max(slack, tolerance * max(abs(value), abs(other))):
            yield f"{name}: {value:g} before, now {other:g}"


def _sound(before: Outcome, now: Outcome) -> Iterator[str]:
    """By the levels: samples alone may differ in their last bit with another processor."""
    if before.levels is None or now.levels is None or before.sound == now.sound:
        return
    length = max(len(before.levels), len(now.levels))
    pairs = zip(_filled(before.levels, length), _filled(now.levels, length), strict=True)
    others = [number for number, (one, other) in enumerate(pairs) if abs(one - other) > LEVEL_SLACK]
    yield from _few("what was heard", [f"is of another level {_span(run)}" for run in _runs(others)])


def _ends(before: Outcome, now: Outcome) -> Iterator[str]:
    if now.failed:
        yield f"the agent failed at {now.ended_at:.2f} s: {now.failed}"
    elif now.ended_at < before.ended_at - TIME_SLACK:
        yield f"the call ended at {before.ended_at:.2f} s before, now at {now.ended_at:.2f} s: {now.reason}"


def _speech(before: Sequence[Spoke], now: Sequence[Spoke]) -> Iterator[str]:
    """Where only one of them speaks, for longer than nothing."""
    silent = [(one, "does not speak {}, and did before") for one in _without(before, now)]
    others = [(one, "speaks {}, and did not before") for one in _without(now, before)]
    found = sorted(silent + others, key=lambda pair: pair[0].begin)
    yield from _few("the agent", [words.format(f"from {one.begin:.2f} to {one.end:.2f} s") for one, words in found])


def _without(these: Sequence[Spoke], others: Sequence[Spoke]) -> Iterator[Spoke]:
    """The times of the ones that are none of the others."""
    for one in these:
        begin = one.begin
        for other in others:
            if other.end > begin and other.begin < one.end:
                if other.begin - begin > TIME_SLACK:
                    yield Spoke(begin, other.begin)
                begin = other.end
        if one.end - begin > TIME_SLACK:
            yield Spoke(begin, one.end)


def _written(what: str, before: Sequence[Wrote], now: Sequence[Wrote]) -> Iterator[str]:
    told = []
    for number in range(max(len(before), len(now))):
        one = before[number] if number < len(before) else None
        other = now[number] if number < len(now) else None
        is_same = one is not None and other is not None and one.content == other.content
        if not is_same or abs((one or _NONE).at - (other or _NONE).at) > TIME_SLACK:
            told.append(f"{_what(one)} before, now {_what(other)}")
    yield from _few(f"{what} of the agent", told, colon=":")


_NONE: Final = Wrote(0.0, "")


def _few(subject: str, told: Sequence[str], colon: str = "") -> Iterator[str]:
    for sentence in told[:MOST]:
        yield f"{subject}{colon} {sentence}"
    if len(told) > MOST:
        yield f"{subject}{colon} differs {len(told) - MOST} times more"


def _what(wrote: Wrote | None) -> str:
    return "none" if wrote is None else f"{wrote.content!r} at {wrote.at:.2f} s"


def _filled(levels: Sequence[int], length: int) -> list[int]:
    return [*levels, *[SILENCE] * (length - len(levels))]


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _span(run: tuple[int, int]) -> str:
    return f"from {run[0] * BIN:.1f} to {(run[1] + 1) * BIN:.1f} s"
