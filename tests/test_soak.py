"""What the soak says of what was measured. Nothing is measured here."""

import pytest

from benchmarks.soak.server import Holdings
from benchmarks.soak.trend import IN_1000_CALLS, IN_AN_HOUR, Growth, slope
from benchmarks.soak.verdict import Heard, Verdict, exit_code, of_attack

GOOD, NOT_GOOD, NOT_SHOWN = Verdict
QUIET, NOISY = Heard(packets=1000, largest_gap_ms=39), Heard(packets=1000, largest_gap_ms=90)


def growth(calls: int, kib: float = 0, descriptors: float = 0, tasks: float = 0) -> Growth:
    """So much with each call."""
    samples = [
        (float(call), Holdings(30_000 + int(call * kib), 20 + int(call * descriptors), 12 + int(call * tasks)))
        for call in range(0, calls, max(1, calls // 30))
    ]
    return Growth(samples, 1000)


@pytest.mark.parametrize(
    ("heard", "control", "expected"),
    [
        (QUIET, QUIET, GOOD),
        (QUIET, NOISY, GOOD),
        (NOISY, QUIET, NOT_GOOD),
        (NOISY, NOISY, NOT_SHOWN),
        (Heard(packets=1000, lost=1), QUIET, NOT_GOOD),
        (Heard(packets=1000, ended=1), QUIET, NOT_GOOD),
        (Heard(), Heard(), NOT_SHOWN),
        (Heard(), QUIET, NOT_GOOD),
    ],
)
def test_an_attack_whose_control_is_noisy_shows_nothing_unless_nobody_minds_it(
    heard: Heard, control: Heard, expected: Verdict
) -> None:
    assert of_attack(heard, control) is expected


def test_what_was_not_shown_is_no_success() -> None:
    assert exit_code([GOOD, GOOD]) == 0
    assert exit_code([GOOD, NOT_SHOWN]) == 2
    assert exit_code([NOT_SHOWN, NOT_GOOD, GOOD]) == 1


@pytest.mark.parametrize("leak", [{"kib": 2.0}, {"descriptors": 0.01}, {"tasks": 0.01}])
def test_what_grows_with_each_call_is_not_good(leak: dict[str, float]) -> None:
    assert growth(5000, **leak).verdict(IN_1000_CALLS) is NOT_GOOD
    assert growth(5000).verdict(IN_1000_CALLS) is GOOD


def test_what_shrinks_is_good() -> None:
    assert growth(5000, kib=-2).verdict(IN_1000_CALLS) is GOOD


def test_few_calls_and_short_times_show_no_growth() -> None:
    assert growth(200).verdict(IN_1000_CALLS) is NOT_SHOWN
    assert growth(1).verdict(IN_1000_CALLS) is NOT_SHOWN
    assert Growth([(minute / 15, Holdings(1, 1, 1)) for minute in range(30)], 60).verdict(IN_AN_HOUR) is NOT_SHOWN


def test_slopes_are_told_with_where_they_ended() -> None:
    assert (
        str(growth(6000, kib=1)) == "resident_kib +1000.0 (now 35800), descriptors +0.0 (now 20), tasks +0.0 (now 12)"
    )


def test_slope_is_that_of_the_line_that_fits_best() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 0), (1, 3), (2, 0)]) == 0
