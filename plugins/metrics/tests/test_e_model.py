"""The E-model gives what ITU-T G.107 says of it."""

import pytest
from glottis_metrics.e_model import CONCEALING, Equipment, delay_impairment, loss_impairment, mean_opinion, rating


def test_without_delay_and_loss_r_is_that_of_all_defaults() -> None:
    """§7.7."""
    assert rating(0.0, 0.0) == 93.2
    assert mean_opinion(93.2) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5)]
)
def test_the_mean_opinion_is_that_of_the_table(r: float, mos: float) -> None:
    """Table B.1, whose second digits are not all those of its formula."""
    assert mean_opinion(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize("r", [-50.0, 3.0, 6.5, 150.0])
def test_no_opinion_is_beyond_the_scale(r: float) -> None:
    assert 1.0 <= mean_opinion(r) <= 4.5


def test_delay_costs_nothing_up_to_100_ms_and_then_more_and_more() -> None:
    """§7.4: X is 0 at 100 ms and 1 at 200 ms."""
    assert delay_impairment(0.05) == delay_impairment(0.1) == 0.0
    assert delay_impairment(0.2) == pytest.approx(25 * (2 ** (1 / 6) - 3 * (1 + 3**-6) ** (1 / 6) + 2))
    steps = [delay_impairment(0.1 * number) for number in range(1, 11)]
    assert steps == sorted(steps)
    assert 20 < delay_impairment(0.4) < 26


def test_half_of_what_can_be_lost_is_lost_when_loss_is_as_great_as_the_robustness() -> None:
    """§7.5, where Ppl is Bpl."""
    assert loss_impairment(CONCEALING.robustness / 100) == pytest.approx(95 / 2)
    assert loss_impairment(0.0, Equipment(11.0, 19.0)) == 11.0
    assert loss_impairment(0.02, burst_ratio=2.0) > loss_impairment(0.02)
    assert loss_impairment(7.0) == loss_impairment(1.0), "no more than all can be lost"
