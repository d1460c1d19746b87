"""What transport-wide feedback says of packets that are late, or told of twice."""

import pytest
from glottis.rtp.departures import Departures
from glottis.wire.rtcp import TransportFeedback

TICKS = 80
"""In 20 ms."""


@pytest.fixture
def departures() -> Departures:
    """Ten packets have been sent, one each 20 ms."""
    departures = Departures()
    for number in range(10):
        departures.sent(number, 1.0 + number / 50)
    return departures


def told(departures: Departures, first: int, *came: bool) -> tuple[int, int] | None:
    ticks = tuple((first + place) * TICKS if has_come else None for place, has_come in enumerate(came))
    report = departures.reported(TransportFeedback(1, 2, first, 0, 0, ticks), 1.3)
    return None if report is None else (report.packets, report.lost)


def test_packet_that_was_said_to_be_missing_and_comes_was_not_lost(departures: Departures) -> None:
    assert told(departures, 0, True, True, False, True) == (4, 1)
    assert told(departures, 2, True, False, True, True) == (2, -1)


def test_packet_that_is_said_to_be_missing_again_is_lost_once(departures: Departures) -> None:
    assert told(departures, 0, True, False, True) == (3, 1)
    assert told(departures, 1, False, False, True) == (1, 0)


@pytest.mark.parametrize(("late", "queue"), [((1, 3, 0, 2), 0.0), ((2, 2, 3, 2), 0.04)])
def test_a_queue_delays_all_packets_where_jitter_leaves_some(
    late: tuple[int, ...], queue: float, departures: Departures
) -> None:
    """``late`` by so many packet times."""
    told(departures, 0, True)
    ticks = tuple((1 + number + packets) * TICKS for number, packets in enumerate(late))
    report = departures.reported(TransportFeedback(1, 2, 1, 0, 0, ticks), 1.3)
    assert report is not None
    assert report.queueing_delay == pytest.approx(queue, abs=0.001)


def test_feedback_that_tells_nothing_new_is_none(departures: Departures) -> None:
    told(departures, 0, True, False)
    assert told(departures, 0, True, False) is None
    assert departures.unknown == 1


def test_where_all_are_lost_there_is_no_delay(departures: Departures) -> None:
    report = departures.reported(TransportFeedback(1, 2, 0, 0, 0, (None, None)), 1.3)
    assert report is not None
    assert (report.packets, report.lost, report.queueing_delay) == (2, 2, None)


def test_gaps_are_told_from_losses_in_a_row(departures: Departures) -> None:
    ticks = tuple(
        number * TICKS if has_come else None for number, has_come in enumerate((1, 0, 0, 0, 1, 0, 1, 0, 0, 1))
    )
    report = departures.reported(TransportFeedback(1, 2, 0, 0, 0, ticks), 1.3)
    assert report is not None
    assert (report.lost, report.gaps) == (6, 3)
