"""What a part of the soak has shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

LIMIT_MS: Final = 60.0
"""Usual is up to 40: a packet every 20 ms, and a wheel that turns every 5."""


class Verdict(Enum):
    """Of one part."""

    GOOD = "good"
    NOT_GOOD = "NOT GOOD"
    NOT_SHOWN = "NOT SHOWN"
    """Neither: the machine was busy, or the time too short."""


@dataclass(slots=True)
class Heard:
    """What some calls have heard together: gaps are between two packets of one of them."""

    packets: int = 0
    lost: int = 0
    wraps: int = 0
    largest_gap_ms: float = 0.0
    ended: int = 0
    """Calls that were over before."""

    @property
    def is_whole(self) -> bool:
        """No packet was lost, and no call."""
        return bool(self.packets) and not self.lost and not self.ended

    @property
    def is_good(self) -> bool:
        """And no gap was too long."""
        return self.is_whole and self.largest_gap_ms <= LIMIT_MS


def of_attack(heard: Heard, control: Heard) -> Verdict:
    """On what was heard under it, and just before, without it."""
    if heard.is_good:
        return Verdict.GOOD
    return Verdict.NOT_GOOD if control.is_good else Verdict.NOT_SHOWN


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """1 if something is not good; 2 if nothing is, but something was not shown; 0 if all is good."""
    if Verdict.NOT_GOOD in verdicts:
        return 1
    return 2 if Verdict.NOT_SHOWN in verdicts else 0
