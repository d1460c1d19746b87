"""A gateway that loses its power at some moments; ``python -m benchmarks.power_cut`` tries two hundred at random."""

import random
from pathlib import Path

import pytest

from benchmarks.power_cut.cuts import Cut, cut_power, random_cuts

CUTS = [
    Cut("in a call", 0.7, "wav"),
    Cut("starting", 0.3, "ogg", 2),
    Cut("in a call", 0.0, "ogg"),
    Cut("stopping", 0.1, "wav"),
]


@pytest.mark.realtime
async def test_a_gateway_without_power_starts_again_and_can_read_its_files(tmp_path: Path) -> None:
    outcome = await cut_power(tmp_path, iter(CUTS), random.Random(1))
    assert outcome.complaints == []
    assert outcome.answered == len(CUTS)  # one was cut off before it could, and one comes after the last cut
    assert outcome.counts[".wav files that can be read"] + outcome.counts["files set aside"] >= 1
    assert outcome.counts["webhooks taken"] > 0
    assert outcome.counts["lines of the log"] > 10


def test_moments_are_the_same_for_a_seed_and_of_all_kinds() -> None:
    first, second = (list(random_cuts(200, random.Random(1))) for _ in range(2))
    assert first == second
    assert {cut.moment for cut in first} == {"starting", "in a call", "at a call's end", "stopping"}
    assert {cut.workers for cut in first} == {1, 2}
