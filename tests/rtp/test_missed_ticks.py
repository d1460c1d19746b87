"""A process that has stood still: of its media ticks, only the last one comes."""

from types import SimpleNamespace
from typing import Any

import pytest
from glottis.rtp import AdaptiveDelay, AudioReceiver, PlainReader
from glottis.rtp.delay import DelayPolicy, FixedDelay

PACKET = 160
BEFORE = 110
"""Packets of 20 ms before it: an adaptive delay knows the path."""
AFTER = 25


@pytest.fixture(params=[FixedDelay, AdaptiveDelay])
def clockwork(request: pytest.FixtureRequest, media: SimpleNamespace) -> Any:
    delay: DelayPolicy = request.param()
    return media.Clockwork(AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000, delay=delay))


def hear(clockwork: Any, media: SimpleNamespace, missed: int, lost: range = range(0)) -> list[int]:
    """Which packets are heard after so many ticks were missed; of those sent in this time, some are lost."""
    for number, packet in enumerate(media.linear_stream(BEFORE + missed + AFTER)):
        if number - BEFORE not in lost:
            clockwork.send(packet, 0.02 * number)
    clockwork.run(0.02 * BEFORE)
    before = len(clockwork.heard())
    clockwork.stand_still(0.02 * missed)
    clockwork.run(0.02 * AFTER)
    values = clockwork.heard()[before:]
    return [value // PACKET if value >= 0 else value for value in values[::PACKET]]


@pytest.mark.parametrize("missed", [3, 10, 25, 49])
def test_what_nobody_has_said_meanwhile_is_not_waited_for(missed: int, clockwork: Any, media: SimpleNamespace) -> None:
    """The caller has stood still, too, as in one process."""
    heard = hear(clockwork, media, missed, range(missed))
    first = heard.index(BEFORE + missed)
    assert first <= 6
    assert heard[first : first + 15] == list(range(BEFORE + missed, BEFORE + missed + 15))


def test_what_was_said_meanwhile_is_heard_and_what_the_socket_could_not_hold_of_it_is_not_waited_for(
    clockwork: Any, media: SimpleNamespace
) -> None:
    heard = hear(clockwork, media, 40, range(10, 40))
    assert [number for number in heard if number >= BEFORE][:20] == [
        *range(BEFORE, BEFORE + 10),
        *range(BEFORE + 40, BEFORE + 50),
    ]
    assert heard.index(BEFORE + 40) <= 18
