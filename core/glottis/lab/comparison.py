"""Two runs beside each other: what got better, what worse, and of what it cannot be said.

The difference of a measure is the mean over the conditions that both runs have, and its confidence interval is by
bootstrap: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13, the percentile interval. The
seeds of each condition are drawn anew or, where one has fewer than three, all pairs of conditions. Where both runs have
the same seeds, the networks of a pair are the same, and the difference is that of what was changed.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from msgspec import Struct

from glottis.contracts.errors import ConfigurationError
from glottis.lab.plan import AXES
from glottis.lab.results import MEASURES, Results, Row
from glottis.lab.samples import Signal

RESAMPLES: Final = 5000
AT_ONCE: Final = 1_000_000
"""Numbers that are drawn."""
CONFIDENCE: Final = 0.95
MIN_PAIRS: Final = 3
"""Fewer tell nothing of how much is chance."""


class Verdict(StrEnum):
    """Of a measure, for the second run."""

    BETTER = "better"
    WORSE = "worse"
    NEITHER = "neither"


HIGHER_IS_BETTER: Final[Mapping[str, bool]] = {name: name in ("pesq", "stoi") for name in MEASURES}
NOT_JUDGED: Final = ("recovered_fec", "recovered_red", "sent_again", "lost")
"""Neither more nor less of them is better by itself."""
NOTICEABLE: Final[Mapping[str, float]] = {
    "pesq": 0.05,
    "stoi": 0.005,
    "delay_ms": 2.0,
    "delay_p95_ms": 2.0,
    "delay_max_ms": 5.0,
    "gap_ms": 10.0,
    "back_after_ms": 100.0,
    "late": 0.001,
    "concealed": 0.001,
    "kbits": 0.5,
    "answer_ms": 20.0,
    "barge_in_ms": 20.0,
    "word_errors": 0.01,
}
"""Smaller differences are neither, however sure they are."""


class Difference(Struct, frozen=True, kw_only=True):
    """Of the second run from the first, in a measure; ``low`` and ``high`` bound it with a confidence of 95 %."""

    measure: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    pairs: int
    verdict: Verdict

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.measure}: {self.verdict} ({self.before:.4g} → {self.after:.4g}, "
            f"{self.difference:+.3g}, 95 %: {self.low:+.3g} to {self.high:+.3g}, {self.pairs} pairs)"
        )


def compare(before: Results, after: Results) -> list[Difference]:
    """Each measure that both have. Raises ``ConfigurationError`` where they have no conditions in common."""
    axes = _common_axes(before, after)
    one, two = _groups(before, axes), _groups(after, axes)
    keys = [key for key in one if key in two]
    if not keys:
        raise ConfigurationError(f"{before.name} and {after.name} have no conditions in common: run both on the same")
    differences = []
    for measure in MEASURES:
        if measure not in NOT_JUDGED:
            pairs = {key: (_mean(one[key], measure), _mean(two[key], measure)) for key in keys}
            known = {key: (a, b) for key, (a, b) in pairs.items() if a is not None and b is not None}
            if known:
                differences.append(_difference(measure, _strata(known, "seed" in axes)))
    return differences


def in_one_line(differences: Sequence[Difference]) -> str:
    """What got better and what worse."""
    said = [
        f"{verdict}: {', '.join(names)}"
        for verdict in (Verdict.BETTER, Verdict.WORSE)
        if (names := [one.measure for one in differences if one.verdict is verdict])
    ]
    return "; ".join(said) or "neither better nor worse"


def _difference(measure: str, strata: Sequence[Sequence[tuple[float, float]]]) -> Difference:
    """``strata`` are the pairs of each condition, by seeds, or all of them as one."""
    pairs = np.array([pair for stratum in strata for pair in stratum], np.float64)
    changes = [np.array([after - before for before, after in stratum]) for stratum in strata]
    mean = float((pairs[:, 1] - pairs[:, 0]).mean())
    low, high = _interval(changes)
    is_sure = (low > 0 or high < 0) and len(pairs) >= MIN_PAIRS
    verdict = Verdict.NEITHER
    if is_sure and abs(mean) >= NOTICEABLE[measure]:
        verdict = Verdict.BETTER if (mean > 0) == HIGHER_IS_BETTER[measure] else Verdict.WORSE
    return Difference(
        measure=measure,
        before=float(pairs[:, 0].mean()),
        after=float(pairs[:, 1].mean()),
        difference=mean,
        low=low,
        high=high,
        pairs=len(pairs),
        verdict=verdict,
    )


def _interval(strata: Sequence[Signal]) -> tuple[float, float]:
    """Of the mean of all, by drawing anew within each."""
    rng = np.random.default_rng(0)
    count = sum(map(len, strata))
    sums = np.zeros(RESAMPLES)
    for changes in strata:
        # What is drawn of n varies less than what it was drawn from, by n - 1 in n.
        mean = changes.mean()
        changes = mean + (changes - mean) * math.sqrt(len(changes) / max(1, len(changes) - 1))
        at_once = max(1, AT_ONCE // len(changes))
        for first in range(0, RESAMPLES, at_once):
            some = min(at_once, RESAMPLES - first)
            sums[first : first + some] += changes[rng.integers(0, len(changes), (some, len(changes)))].sum(axis=1)
    edge = 100 * (1 - CONFIDENCE) / 2
    low, high = (float(np.percentile(sums / count, share)) for share in (edge, 100 - edge))
    return low, high


def _strata(known: Mapping[tuple[str, ...], tuple[float, float]], has_seeds: bool) -> list[list[tuple[float, float]]]:
    """The seeds of each condition apart, where there are enough of them everywhere."""
    strata: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for key, pair in known.items():
        strata.setdefault(key[:-1] if has_seeds else (), []).append(pair)
    if min(map(len, strata.values())) >= MIN_PAIRS:
        return list(strata.values())
    return [list(known.values())]


Groups = dict[tuple[str, ...], list[Row]]


def _common_axes(before: Results, after: Results) -> list[str]:
    """On which both have something in common; on the others lies what was changed, and all is one. Seeds come last."""
    return [axis for axis in AXES if _values(before, axis) & _values(after, axis)]


def _values(results: Results, axis: str) -> set[str]:
    return {row.result.labels[axis] for row in results.rows}


def _groups(results: Results, axes: Sequence[str]) -> Groups:
    groups: Groups = {}
    for row in results.rows:
        if row.result.measures is not None:
            groups.setdefault(tuple(row.result.labels[axis] for axis in axes), []).append(row)
    return groups


def _mean(rows: Sequence[Row], measure: str) -> float | None:
    found = [getattr(row.result.measures, measure) for row in rows]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None
