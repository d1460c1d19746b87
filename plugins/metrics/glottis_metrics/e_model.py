"""How good a conversation is likely to sound: the E-model, ITU-T G.107 (06/2015), as far as a gateway can know.

What it cannot know has the recommendation's default value, so R is 93.2 without delay and loss (§7.7): no echo, a quiet
room. Left are the delay (§7.4, Idd) and codec and loss (§7.5, Ie,eff). It is an estimate for planning, of narrowband
telephony, and judges no wideband; it is of use for comparing calls with calls.
"""

import math
from typing import Final, NamedTuple

DEFAULT_R: Final = 93.2
"""§7.7: R where all parameters have their defaults."""
LEAST_DELAY: Final = 0.1
"""Seconds from mouth to ear, up to which delay costs nothing (§7.4)."""


class Equipment(NamedTuple):
    """What a codec costs: ``impairment`` is Ie, ``robustness`` against loss is Bpl (ITU-T G.113, Appendix I)."""

    impairment: float
    robustness: float


CONCEALING: Final = Equipment(0.0, 25.1)
"""G.711 with concealment of lost packets, G.113 Appendix I, Table I.3. There are no values for Opus there, and none for
G.722 on this scale: they are taken to be no worse."""


def delay_impairment(seconds: float) -> float:
    """Idd of a delay from mouth to ear (§7.4, with sT = 1 and mT = 100 ms)."""
    if seconds <= LEAST_DELAY:
        return 0.0
    x = math.log2(seconds / LEAST_DELAY)
    sixth = 1 / 6
    return float(25.0 * ((1 + x**6) ** sixth - 3 * (1 + (x / 3) ** 6) ** sixth + 2))


def loss_impairment(loss: float, equipment: Equipment = CONCEALING, burst_ratio: float = 1.0) -> float:
    """Ie,eff of a share (0–1) of packets that are lost (§7.5); ``burst_ratio`` is 1 where they are so at random."""
    percent = 100 * min(max(loss, 0.0), 1.0)
    impairment, robustness = equipment
    return impairment + (95.0 - impairment) * percent / (percent / burst_ratio + robustness)


def rating(delay: float, loss: float, equipment: Equipment = CONCEALING) -> float:
    """R, of a delay in seconds and a share of lost packets; at most 93.2, and below 0 for what is of no use."""
    return DEFAULT_R - delay_impairment(delay) - loss_impairment(loss, equipment)


def mean_opinion(r: float) -> float:
    """MOS, from 1 (bad) to 4.5 (Annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
