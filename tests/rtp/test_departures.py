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


def test_feedback_that_tells_nothing_new_is_none(departures: Departures) -> None:
    told(departures, 0, True, False)
    assert told(departures, 0, True, False) is None
    assert departures.unknown == 1
