"""A conversation as it went: who spoke when, and what the caller has waited for before each answer."""

from collections.abc import Iterator, Sequence
from typing import Final

from matplotlib.figure import Figure

from glottis.lab.conversation import TimedTurn
from glottis.lab.plots import MAX_LINES, legend, new_figure

WAY: Final = "pause, network, buffers"
"""Of the time until an answer, what the agent tells nothing of."""
_CALLER, _AGENT, _INTERRUPTED, _REST = "steelblue", "darkorange", "crimson", "lightgrey"
_PARTS: Final = ("tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")


def waterfall(conversations: Sequence[tuple[str, Sequence[TimedTurn]]]) -> Figure:
    """Two lanes for each: the caller, and below it the agent with the times until its answers."""
    figure, axes = new_figure("conversation, s", "")
    shown = conversations[:MAX_LINES]
    colours: dict[str, str] = {}
    for lane, (lane_name, turns) in enumerate(shown):
        axes.text(0.0, lane - 0.38, lane_name, fontsize=7, va="bottom")
        for name, begin, end, above in [bar for turn in turns for bar in _bars(turn)]:
            label = None if name in colours else name
            colour = colours.setdefault(name, _colour(name, colours))
            axes.broken_barh([(begin, end - begin)], (lane - (0.35 if above else 0.0), 0.35), color=colour, label=label)
        for turn in turns:
            if turn.answer_ms is not None:
                axes.text(turn.start_s, lane + 0.37, f"{turn.answer_ms:.0f} ms", fontsize=6, ha="right", va="top")
    axes.set_yticks([])
    axes.set_ylim(max(1, len(shown)) - 0.4, -0.6)
    legend(axes)
    return figure


def _bars(turn: TimedTurn) -> Iterator[tuple[str, float, float, bool]]:
    """What each is, from when to when, and whether it is the caller's."""
    if turn.speaker == "caller":
        yield "caller", turn.start_s, turn.end_s, True
        if turn.barge_in_ms is not None:
            yield "interrupted", turn.start_s, turn.start_s + turn.barge_in_ms / 1000, True
        return
    if turn.answer_ms is not None:
        moment = turn.start_s - turn.answer_ms / 1000
        rest = max(0.0, turn.answer_ms - sum(turn.parts_ms.values()))
        for name, milliseconds in {WAY: rest, **turn.parts_ms}.items():
            end = min(turn.start_s, moment + milliseconds / 1000)
            yield name, moment, end, False
            moment = end
    yield "agent", turn.start_s, turn.end_s, False


def _colour(name: str, known: dict[str, str]) -> str:
    own = {"caller": _CALLER, "agent": _AGENT, "interrupted": _INTERRUPTED, WAY: _REST}
    return own.get(name) or _PARTS[len(known.keys() - own.keys()) % len(_PARTS)]
