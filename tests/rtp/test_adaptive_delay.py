"""The delay that a path asks for: reception of a voice over paths whose lateness changes."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from glottis.rtp import AdaptiveDelay, AudioReceiver, PlainReader
from glottis.wire.rtp import build_rtp
from support.seeds import seeds

RATE = 16000
PACKET = 320
Arrival = Callable[[float], float | None]
"""When a packet sent at this time comes; None if it is lost."""


@dataclass
class Line:
    """A path from a caller who says a long vowel."""

    media: SimpleNamespace
    delay: AdaptiveDelay = field(default_factory=AdaptiveDelay)
    redundancy: bool = False
    first_timestamp: int = 0
    delays: list[float | None] = field(default_factory=list)
    """Mean milliseconds that packets have waited, in each half second; None for one without packets."""

    def __post_init__(self) -> None:
        codec = replace(self.media.linear_codec(RATE), in_band_redundancy=self.redundancy)
        self.receiver = AudioReceiver({96: PlainReader(codec)}, sample_rate=RATE, delay=self.delay)
        self.clockwork: Any = self.media.Clockwork(self.receiver)

    def run(self, arrival: Arrival, seconds: float, *, encoded: bool = False) -> None:
        for number in range(round(seconds * 50) + 10):
            at = arrival(number / 50)
            if at is not None:
                self.clockwork.send(self.packet(number), at)
        counts = self.receiver.statistics
        for _ in range(round(seconds * 2)):
            waited, emitted = counts.jitter_buffer_delay, counts.jitter_buffer_emitted_count
            self.clockwork.run(0.5, encoded=encoded)
            count = counts.jitter_buffer_emitted_count - emitted
            self.delays.append(1000 * (counts.jitter_buffer_delay - waited) / count if count else None)

    def packet(self, number: int) -> bytes:
        timestamp = (self.first_timestamp + number * PACKET) & 0xFFFFFFFF
        return build_rtp(96, (65500 + number) & 0xFFFF, timestamp, 7, self.media.pcm_of(vowel(number)))

    @property
    def concealed_ms(self) -> float:
        return 1000 * self.receiver.statistics.concealed_samples / RATE


def vowel(number: int) -> list[int]:
    times = [2 * math.pi * 120 * (number * PACKET + index) / RATE for index in range(PACKET)]
    return [round(4000 * math.sin(t) + 2000 * math.sin(2 * t + 1)) for t in times]


@pytest.fixture
def line(media: SimpleNamespace) -> Line:
    return Line(media)


def punctual(sent: float) -> float:
    return sent


def test_on_a_clean_path_a_packet_waits_for_one_interval_at_most(line: Line) -> None:
    line.run(punctual, 5)
    assert all(delay is not None and delay <= 22 for delay in line.delays)
    assert line.concealed_ms == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(20))
def test_jitter_is_waited_for_and_no_longer_than_it_lasts(seed: int, line: Line) -> None:
    rng = random.Random(seed)
    line.run(lambda sent: sent + (rng.uniform(0, 0.06) if sent < 10 else 0), 20)
    assert line.concealed_ms <= 0.06 * 10_000
    assert max(delay or 0 for delay in line.delays) <= 85  # the latest, and a frame
    assert line.delays[-4] == pytest.approx(20, abs=11)


@pytest.mark.parametrize("seed", seeds(20))
def test_a_spike_is_heard_late_and_the_delay_is_back_two_seconds_later(seed: int, line: Line) -> None:
    begin = random.Random(seed).uniform(2, 4)
    line.run(lambda sent: max(sent, begin + 0.15) if begin <= sent < begin + 0.15 else sent, 8)
    statistics = line.receiver.statistics
    assert statistics.packets_discarded == 0
    assert line.concealed_ms <= 150
    after = round(2 * (begin + 0.15 + 2)) + 1
    assert line.delays[after] == pytest.approx(line.delays[1], abs=10)


@pytest.mark.parametrize("lost", [True, False])
def test_after_an_outage_of_two_seconds_the_delay_is_back_within_two(lost: bool, line: Line) -> None:
    """Whether its packets are lost or come all at once."""

    def arrival(sent: float) -> float | None:
        if not 3 <= sent < 5:
            return sent
        return None if lost else 5 + (sent - 3) / 100

    line.run(arrival, 8)
    assert line.delays[2 * 7] == pytest.approx(line.delays[1], abs=10)
    assert line.concealed_ms <= 1000  # from then on there is no stream, until it comes again


@pytest.mark.slow
@pytest.mark.parametrize("skew", [0.001, -0.001])
def test_clocks_that_drift_apart_cost_neither_delay_nor_sound(skew: float, line: Line) -> None:
    line.run(lambda sent: sent * (1 + skew), 60)
    assert line.concealed_ms == 0
    assert line.receiver.statistics.packets_discarded == 0
    assert all(delay is not None and delay <= 42 for delay in line.delays)


def test_what_a_lost_packet_left_in_the_next_one_is_waited_for(media: SimpleNamespace) -> None:
    concealed = []
    for redundancy in (True, False):
        rng = random.Random(1)
        line = Line(media, redundancy=redundancy)
        line.run(lambda sent, rng=rng: None if rng.random() < 0.1 else sent + 0.01, 20)  # type: ignore[misc]
        statistics = line.receiver.statistics
        concealed.append(statistics.concealed_samples - statistics.recovery_attempts * PACKET)
    assert concealed[0] <= concealed[1] / 3


@pytest.mark.parametrize("first_timestamp", [0xFFFFFFFF - 10 * PACKET, 1 << 31])
def test_wraps_of_time_and_sequence_change_nothing(first_timestamp: int, media: SimpleNamespace) -> None:
    line = Line(media, first_timestamp=first_timestamp)
    line.run(punctual, 5)
    assert line.concealed_ms == 0


def test_packets_are_passed_on_late_rather_than_dropped(line: Line) -> None:
    line.run(lambda sent: max(sent, 2.15) if 2 <= sent < 2.15 else sent, 6, encoded=True)
    assert sum(map(len, line.clockwork.packets)) >= 6 * 50 - 12  # what was too much after it is skipped
    assert (line.delays[-1] or 0) <= 22
