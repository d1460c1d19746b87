"""Who spoke when, and the times between: what is measured of an agent in conversation.

The time from the end of speech to the first sound of the answer is the floor transfer offset of M. Heldner and
J. Edlund, "Pauses, gaps and overlaps in conversations", Journal of Phonetics 38 (2010), here at the caller's ear: what
network, codec and jitter buffer take is in it, both ways.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

LOUD_DBFS: Final = -50.0
"""From here on a frame is sound."""
PAUSE: Final = 0.3
"""Seconds of silence within which somebody goes on speaking: stops of plosives and breath are shorter."""


@dataclass(slots=True)
class Spell:
    """Of sound, in seconds of the call."""

    start: float
    end: float


class Spells:
    """The spells of one end; frames are added in their order."""

    def __init__(self) -> None:
        self.all: list[Spell] = []

    def add(self, start: float, end: float, level_dbfs: float) -> None:
        """A frame of so many dBFS."""
        if level_dbfs < LOUD_DBFS:
            return
        if self.all and start - self.all[-1].end < PAUSE:
            self.all[-1].end = max(end, self.all[-1].end)
        else:
            self.all.append(Spell(start, end))

    @property
    def last_end(self) -> float:
        """When it was loud for the last time; 0 if it never was."""
        return self.all[-1].end if self.all else 0.0


class Turn(Struct, frozen=True, kw_only=True):
    """One spell of one end, in seconds since media began, as the caller hears it."""

    speaker: str
    start_s: float
    end_s: float
    answer_ms: float | None = None
    """Of an agent's: from the end of the caller's speech before it. None where it has answered that already."""
    barge_in_ms: float | None = None
    """Of a caller's that has begun while the agent spoke: until the agent was silent."""


def turns_of(said: Spells, listened: Spells, began_at: float) -> list[Turn]:
    """In the order in which they began."""
    caller = [_caller_turn(spell, listened, began_at) for spell in said.all]
    agent = [_agent_turn(spell, number, said, listened, began_at) for number, spell in enumerate(listened.all)]
    return sorted([*caller, *agent], key=lambda turn: (turn.start_s, turn.speaker))


def _caller_turn(spell: Spell, listened: Spells, began_at: float) -> Turn:
    interrupted = [other for other in listened.all if other.start < spell.start < other.end]
    barge_in = _ms(interrupted[0].end - spell.start) if interrupted else None
    return Turn(speaker="caller", barge_in_ms=barge_in, **_place(spell, began_at))


def _agent_turn(spell: Spell, number: int, said: Spells, listened: Spells, began_at: float) -> Turn:
    before = bisect_right([other.end for other in said.all], spell.start)
    answer = None
    if before:
        asked = said.all[before - 1].end
        if number == 0 or listened.all[number - 1].start < asked:
            answer = _ms(spell.start - asked)
    return Turn(speaker="agent", answer_ms=answer, **_place(spell, began_at))


def _place(spell: Spell, began_at: float) -> dict[str, float]:
    return {"start_s": round(spell.start - began_at, 3), "end_s": round(spell.end - began_at, 3)}


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
