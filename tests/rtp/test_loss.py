import pytest
from glottis.rtp.loss import (
    BURST,
    BURST_SPACING,
    COPIES,
    FULL_LOSS,
    HEAVY_LOSS,
    MEMORY,
    MOST_SPENT,
    ExpectedLoss,
    Loss,
    LossCount,
    protection,
    red_bytes,
)

CLEAN = 24000


def test_a_rise_of_the_loss_is_believed_at_once_and_a_fall_slowly() -> None:
    loss = ExpectedLoss()
    assert loss.reported(0.1, 0.0).expected == 0.1
    assert loss.reported(0.3, 2.5).expected == 0.3
    after = [loss.reported(0.02, 2.5 + MEMORY * part).expected for part in (0.25, 0.5, 0.75, 1.0)]
    assert after == pytest.approx([0.3, 0.3, 0.15, 0.02])


def test_what_only_one_report_tells_of_does_not_last() -> None:
    loss = ExpectedLoss()
    assert loss.reported(0.8, 0.0) == Loss(0.8, 0.0)
    assert loss.reported(0.0, 2.5).lasting == 0.0
    assert loss.reported(0.3, 5.0) == pytest.approx(Loss(0.8, 0.3))


def test_without_loss_nothing_is_spent() -> None:
    assert ExpectedLoss().reported(0.0, 0.0) == Loss(0.0, 0.0)
    assert protection(Loss(0.009, 0.009), CLEAN, 20, has_red=True) == (CLEAN, 0.0, 0, 1)


def test_a_flood_of_reports_costs_no_more_than_sixteen() -> None:
    loss = ExpectedLoss()
    loss.reported(0.9, 0.0)
    for _ in range(16):
        newest = loss.reported(0.1, 0.0)
    assert newest == Loss(0.1, 0.1)


def test_of_feedback_on_a_few_packets_reports_are_made_soon_and_then_of_more() -> None:
    count = LossCount()
    told = [count.told(10, 2, 2) for _ in range(100)]
    assert [number for number, fraction in enumerate(told) if fraction is not None][:5] == [2, 7, 17, 37, 57]
    assert {fraction for fraction in told if fraction is not None} == {0.2}


def test_more_that_has_come_late_than_was_lost_is_no_loss() -> None:
    count = LossCount()
    assert count.told(20, -1, 0) is None
    assert count.told(20, 0, 0) == 0.0
    assert count.told(50, 60, 9) == 1.0


@pytest.mark.parametrize(
    ("lost", "gaps", "in_a_row"), [(10, 10, 1.0), (20, 5, 4.0), (8, 2, 1.0), (-3, 5, 1.0), (100, 1, 1.0), (100, 5, 8.0)]
)
def test_how_many_are_lost_in_a_row_is_known_of_several_gaps(lost: int, gaps: int, in_a_row: float) -> None:
    """An outage is no burst, however long it is."""
    count = LossCount()
    count.told(200, lost, gaps)
    assert count.in_a_row == in_a_row


def test_bursts_are_forgotten_when_no_more_come() -> None:
    count = LossCount()
    count.told(200, 40, 10)
    for _ in range(5):
        count.told(200, 10, 10)
    assert count.in_a_row < 1.2


@pytest.mark.parametrize("in_a_row", [1.0, BURST])
@pytest.mark.parametrize("has_red", [True, False])
@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("packet_ms", [10, 20, 60])
def test_all_that_is_spent_is_in_proportion_to_the_clean_bitrate(
    loss: float, packet_ms: int, has_red: bool, in_a_row: float
) -> None:
    bitrate, expected, copies, _ = protection(Loss(loss, loss, in_a_row), CLEAN, packet_ms, has_red=has_red)
    headers = red_bytes(copies) * 8000 / packet_ms if copies else 0
    assert CLEAN < bitrate * (1 + copies) + headers <= CLEAN * MOST_SPENT + 1 + COPIES
    assert (expected > 0) == (copies == 0)


def test_copies_are_sent_of_heavy_loss_that_lasts_and_to_who_takes_red() -> None:
    heavy = Loss(HEAVY_LOSS, HEAVY_LOSS)
    assert protection(heavy, CLEAN, 20, has_red=True).copies == COPIES
    assert protection(heavy, CLEAN, 20, has_red=False).copies == 0
    assert protection(heavy, CLEAN, 20, has_red=False, has_fec=False).bitrate == CLEAN
    assert protection(Loss(0.9, HEAVY_LOSS - 0.01), CLEAN, 20, has_red=True).copies == 0


def test_who_wants_copies_whatever_they_cost_gets_good_ones_and_sooner() -> None:
    for loss in (FULL_LOSS, 0.3):
        against = protection(Loss(loss, loss), CLEAN, 20, has_red=True, is_generous=True)
        assert against == (CLEAN, 0.0, COPIES, 1)
    assert protection(Loss(0.04, 0.04), CLEAN, 20, has_red=True, is_generous=True).copies == 0
    heavy = Loss(0.3, 0.3)
    assert protection(heavy, CLEAN, 20, has_red=False, is_generous=True) == protection(heavy, CLEAN, 20, has_red=False)
    assert protection(heavy, CLEAN, 20, has_red=True, is_generous=True, most=CLEAN).copies == 0


def test_in_bursts_copies_are_further_from_their_frames_and_one_is_sent_sooner() -> None:
    for loss, is_generous, copies in ((0.04, False, 0), (FULL_LOSS, False, 1), (HEAVY_LOSS, False, 2), (0.05, True, 2)):
        against = protection(Loss(loss, loss, BURST), CLEAN, 20, has_red=True, is_generous=is_generous)
        assert (against.copies, against.spacing) == (copies, BURST_SPACING if copies else 1)
    assert protection(Loss(0.1, 0.1, BURST), CLEAN, 20, has_red=False).copies == 0
    assert protection(Loss(0.1, FULL_LOSS - 0.01, BURST), CLEAN, 20, has_red=True).copies == 0
