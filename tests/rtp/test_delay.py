from types import SimpleNamespace

import pytest
from glottis.rtp.delay import EXCESS_SLACK, HEAD_START, FixedDelay
from glottis.rtp.payload import BufferedPacket, PlainReader
from glottis.rtp.receiver import AudioReceiver

CLOCK = 8000


@pytest.fixture
def delay() -> FixedDelay:
    return FixedDelay(0.04)


def packet_at(now: float, media: SimpleNamespace) -> BufferedPacket:
    return BufferedPacket(1, 0, 160, bytes(320), media.linear_codec(), now)


def test_a_path_that_stays_too_slow_makes_playout_start_anew(delay: FixedDelay, media: SimpleNamespace) -> None:
    delay.started(320, 0.0)
    assert all(delay.arrived(packet_at(at, media), -1) for at in (1.0, 1.02, 1.04))
    assert not delay.arrived(packet_at(1.06, media), -1)


def test_a_packet_in_time_excuses_the_late_ones(delay: FixedDelay, media: SimpleNamespace) -> None:
    delay.started(320, 0.0)
    assert delay.arrived(packet_at(1.0, media), -1)
    assert delay.arrived(packet_at(1.04, media), 0)
    assert delay.arrived(packet_at(1.06, media), -1)


def test_what_was_never_needed_for_a_second_is_excess(delay: FixedDelay) -> None:
    delay.started(1600, 0.0)
    assert delay.excess(960, CLOCK, 0.5) == 0
    assert delay.excess(1600, CLOCK, 1.0) == 960 - 320
    assert delay.excess(320 + 159, CLOCK, 2.0) == 0


def test_head_start_is_worked_off_in_steps(delay: FixedDelay) -> None:
    assert delay.most_at_start == pytest.approx(0.04 + EXCESS_SLACK)
    delay.allow_head_start()
    assert delay.most_at_start == HEAD_START
    delay.started(2000, 0.0)
    assert [delay.excess(depth, CLOCK, now) for depth, now in ((640, 0.1), (480, 0.2), (400, 0.35))] == [160, 160, 0]
    assert delay.most_at_start == pytest.approx(0.04 + EXCESS_SLACK)


class SkippingDelay(FixedDelay):
    """Another policy: skips a packet's worth whenever more than one waits."""

    def excess(self, depth: int, clock_rate: int, now: float) -> int:
        return 160 if depth > 160 else 0


def test_the_jitter_buffer_does_what_its_policy_says(media: SimpleNamespace) -> None:
    receiver = AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000, delay=SkippingDelay(0.0))
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(4)):
        clockwork.send(packet, 0.019 if index else 0.0)
    clockwork.run(0.06)
    assert clockwork.heard() == [*range(320), *range(480, 640)]
    assert receiver.statistics.removed_samples_for_acceleration == 160
