"""The delay that a path asks for: reception of a voice over paths whose lateness changes."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
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
    """A path from a caller who says a long vowel, and takes breath, if ``breathes``, once in one and a half seconds."""

    media: SimpleNamespace
    frame_ms: int = 20
    redundancy: bool = False
    reach: int = 0
    """Frames before a packet that it holds."""
    first_timestamp: int = 0
    breathes: bool = True
    delays: list[float | None] = field(default_factory=list)
    """Mean milliseconds that packets have waited, in each half second; None for one without packets."""

    def __post_init__(self) -> None:
        codec = replace(
            self.media.linear_codec(RATE),
            in_band_redundancy=self.redundancy,
            redundancy_reach=lambda payload: self.reach * PACKET,
        )
        seconds = self.frame_ms / 1000
        self.receiver = AudioReceiver(
            {96: PlainReader(codec)},
            sample_rate=RATE,
            delay=AdaptiveDelay(frame_seconds=seconds),
            frame_seconds=seconds,
        )
        self.clockwork: Any = self.media.Clockwork(self.receiver, tick_ms=self.frame_ms)

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
        is_breath = self.breathes and number % 75 >= 60
        pcm = bytes(2 * PACKET) if is_breath else self.media.pcm_of(vowel(number % 5))  # twelve periods
        return build_rtp(96, (65500 + number) & 0xFFFF, timestamp, 7, pcm)

    @property
    def concealed_ms(self) -> float:
        return 1000 * self.receiver.statistics.concealed_samples / RATE


@cache
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
    assert all(delay is not None and delay <= 22 for delay in line.delays[6:])
    assert line.concealed_ms == 0


@pytest.mark.parametrize("seed", seeds(5))
def test_frames_of_10_ms_are_waited_for_and_caught_up_with_as_those_of_20(seed: int, media: SimpleNamespace) -> None:
    line = Line(media, frame_ms=10)
    begin = random.Random(seed).uniform(4, 6)
    line.run(lambda sent: max(sent, begin + 0.15) if begin <= sent < begin + 0.15 else sent, 10)
    assert line.receiver.statistics.packets_discarded == 0
    assert line.concealed_ms <= 150
    assert all(delay is not None and delay <= 12 for delay in line.delays[6 : round(2 * begin) - 1])
    assert (line.delays[round(2 * (begin + 0.15 + 2)) + 1] or 99) <= 22
    assert {frame.sample_count for frame in line.clockwork.frames if frame is not None} == {RATE // 100}


def policy_of_a_path(policy: AdaptiveDelay, jitter: float) -> AdaptiveDelay:
    """After half a minute of packets that are up to ``jitter`` seconds late, evenly spread."""
    rng = random.Random(1)
    policy.started(0, 0.0)
    for number in range(1500):
        late = rng.uniform(0.0, jitter)
        policy.measured(late, number / 50 + late)
    return policy


@pytest.mark.parametrize(
    ("policy", "jitter", "milliseconds"),
    [
        (AdaptiveDelay(minimum=0.1), 0.0, (100, 100)),
        (AdaptiveDelay(maximum=0.12), 0.3, (120, 120)),
        (AdaptiveDelay(lateness=0.02), 0.05, (50, 55)),
        (AdaptiveDelay(lateness=0.3), 0.05, (36, 47)),
    ],
    ids=["minimum", "maximum", "few may be late", "many may be late"],
)
def test_the_delay_is_within_its_settings_and_as_many_are_late_as_may_be(
    policy: AdaptiveDelay, jitter: float, milliseconds: tuple[float, float]
) -> None:
    least, most = milliseconds
    assert least <= round(1000 * policy_of_a_path(policy, jitter).target, 3) <= most


def test_before_the_path_has_proven_to_be_clean_a_packet_waits_as_with_a_fixed_delay(line: Line) -> None:
    line.run(punctual, 2)
    assert all(delay is not None and 40 <= delay <= 65 for delay in line.delays)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(20))
def test_jitter_is_waited_for_and_no_longer_than_it_lasts(seed: int, line: Line) -> None:
    rng = random.Random(seed)
    line.run(lambda sent: sent + (rng.uniform(0, 0.06) if sent < 10 else 0), 20)
    assert line.concealed_ms <= 0.06 * 10_000
    assert max(delay or 0 for delay in line.delays) <= 85  # the latest, and a frame
    assert line.delays[-4] == pytest.approx(20, abs=11)


def test_pauses_become_longer_and_shorter_by_as_much_as_is_told(line: Line) -> None:
    """From the fifth second on packets are up to 120 ms late, and from the fifteenth on they are not."""
    rng = random.Random(1)
    line.run(lambda sent: sent + (rng.uniform(0, 0.12) if 5 < sent < 15 else 0), 25)
    statistics = line.receiver.statistics
    inserted, removed = statistics.inserted_samples_for_deceleration, statistics.removed_samples_for_acceleration
    assert inserted >= PACKET
    assert removed >= inserted


@pytest.mark.parametrize("seed", seeds(20))
def test_a_spike_is_heard_late_and_the_delay_is_back_two_seconds_later(seed: int, line: Line) -> None:
    begin = random.Random(seed).uniform(4, 6)
    line.run(lambda sent: max(sent, begin + 0.15) if begin <= sent < begin + 0.15 else sent, 10)
    statistics = line.receiver.statistics
    assert statistics.packets_discarded == 0
    assert line.concealed_ms <= 150
    after = round(2 * (begin + 0.15 + 2)) + 1
    assert line.delays[after] == pytest.approx(line.delays[7], abs=10)


def test_without_a_pause_speech_is_left_alone_for_four_seconds_and_the_delay_is_back_two_later(
    media: SimpleNamespace,
) -> None:
    line = Line(media, breathes=False)
    line.run(lambda sent: max(sent, 12.15) if 12 <= sent < 12.15 else sent, 20)
    assert (line.delays[2 * 15] or 0) >= 140
    assert (line.delays[2 * 18 + 1] or 0) <= 45
    assert line.concealed_ms <= 150
    assert 1000 * line.receiver.statistics.removed_samples_for_acceleration / RATE == pytest.approx(130, abs=40)


@pytest.mark.parametrize("seed", seeds(5))
def test_a_spike_that_has_come_twice_is_waited_for_until_no_more_come(seed: int, line: Line) -> None:
    offset = random.Random(seed).uniform(0, 3)

    def arrival(sent: float) -> float:
        since = (sent - offset) % 3
        return sent - since + 0.15 if since < 0.15 and sent < 18 else sent

    line.run(arrival, 30)
    concealed_before = line.concealed_ms
    assert concealed_before <= 3 * 150
    assert all(delay is not None and 115 <= delay <= 190 for delay in line.delays[20:32])
    assert (line.delays[-1] or 0) <= 25


@pytest.mark.parametrize("seed", seeds(5))
def test_delay_that_comes_and_goes_by_little_is_left_as_it_is(seed: int, line: Line) -> None:
    rng = random.Random(seed)
    line.run(lambda sent: sent + rng.uniform(0, 0.04), 20)
    statistics = line.receiver.statistics
    changed = statistics.inserted_samples_for_deceleration + statistics.removed_samples_for_acceleration
    assert changed <= 0.15 * RATE


@pytest.mark.parametrize("lost", [True, False])
def test_after_an_outage_of_two_seconds_the_delay_is_back_within_two(lost: bool, line: Line) -> None:
    """Whether its packets are lost or come all at once."""

    def arrival(sent: float) -> float | None:
        if not 5 <= sent < 7:
            return sent
        return None if lost else 7 + (sent - 5) / 100

    line.run(arrival, 10)
    assert line.delays[2 * 9] == pytest.approx(line.delays[9], abs=10)
    assert line.concealed_ms <= 1000  # from then on there is no stream, until it comes again


@pytest.mark.slow
@pytest.mark.parametrize("skew", [0.001, -0.001])
def test_clocks_that_drift_apart_cost_neither_delay_nor_sound(skew: float, line: Line) -> None:
    line.run(lambda sent: sent * (1 + skew), 60)
    assert line.concealed_ms == 0
    assert line.receiver.statistics.packets_discarded == 0
    assert all(delay is not None and delay <= 42 for delay in line.delays[6:])


def test_what_a_lost_packet_left_in_the_next_one_is_waited_for(media: SimpleNamespace) -> None:
    concealed = []
    for redundancy in (True, False):
        rng = random.Random(1)
        line = Line(media, redundancy=redundancy)
        line.run(lambda sent, rng=rng: None if rng.random() < 0.1 else sent + 0.01, 20)  # type: ignore[misc]
        statistics = line.receiver.statistics
        concealed.append(statistics.concealed_samples - statistics.recovery_attempts * PACKET)
    assert concealed[0] <= concealed[1] / 3


def test_what_a_burst_left_in_the_packet_after_it_is_waited_for(media: SimpleNamespace) -> None:
    invented = []
    for reach in (3, 0):
        line = Line(media, redundancy=True, reach=reach)
        line.run(lambda sent: None if round(50 * sent) % 50 in (20, 21, 22) else sent + 0.01, 20)
        statistics = line.receiver.statistics
        invented.append(statistics.concealed_samples - statistics.fec_recovered_samples)
    assert invented[0] <= 3 * PACKET  # of the first burst
    assert invented[1] == 60 * PACKET


@pytest.mark.parametrize("first_timestamp", [0xFFFFFFFF - 10 * PACKET, 1 << 31])
def test_wraps_of_time_and_sequence_change_nothing(first_timestamp: int, media: SimpleNamespace) -> None:
    line = Line(media, first_timestamp=first_timestamp)
    line.run(punctual, 5)
    assert line.concealed_ms == 0


def test_packets_are_passed_on_late_rather_than_dropped(line: Line) -> None:
    line.run(lambda sent: max(sent, 2.15) if 2 <= sent < 2.15 else sent, 6, encoded=True)
    assert sum(map(len, line.clockwork.packets)) >= 6 * 50 - 12  # what was too much after it is skipped
    assert (line.delays[-1] or 0) <= 22


@pytest.mark.parametrize("seed", seeds(10))
def test_after_packets_of_any_length_number_time_and_source_a_path_is_as_good_as_before(seed: int, line: Line) -> None:
    rng = random.Random(seed)
    sequence, timestamp, ssrc, at = 0, 0, 7, 0.0
    while at < 5:
        milliseconds = rng.choice([10, 20, 40, 60, 120])
        for _ in range(rng.randint(3, 20)):
            pcm = bytes(2 * milliseconds * RATE // 1000)
            packet = build_rtp(96, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, pcm)
            line.clockwork.send(packet, at + rng.choice([0, 0, 0, 0.01, 0.3]))
            sequence, timestamp = sequence + 1, timestamp + milliseconds * RATE // 1000
            at += milliseconds / 1000
        sequence += rng.choice([0, 1, 200, 30000])
        timestamp += rng.choice([0, 320, -5000, 1 << 31, 10 * RATE])
        ssrc += rng.choice([0, 0, 1])
        at += rng.choice([0.0, 0.4, 1.2])
    line.clockwork.run(at + 1.5)
    assert all(frame is None or len(frame.pcm) == 2 * PACKET for frame in line.clockwork.frames)
    start = line.clockwork.now + 0.02
    for number in range(400):
        packet = build_rtp(96, number, number * PACKET, ssrc + 1, bytes(2 * PACKET))
        line.clockwork.send(packet, start + number / 50)
    line.clockwork.run(6)
    before = replace(line.receiver.statistics)
    line.clockwork.run(1)
    after = line.receiver.statistics
    emitted = after.jitter_buffer_emitted_count - before.jitter_buffer_emitted_count
    assert (after.jitter_buffer_delay - before.jitter_buffer_delay) / emitted <= 0.045
    assert after.concealed_samples == before.concealed_samples


def test_short_sources_are_not_measured_by_the_timelines_of_those_before(line: Line) -> None:
    line.run(punctual, 3)
    before = replace(line.receiver.statistics)
    start = line.clockwork.now + 0.4  # after which the one before is taken to have left
    for source in range(8):
        for number in range(6):
            packet = build_rtp(96, number, number * PACKET, 8 + source, bytes(2 * PACKET))
            line.clockwork.send(packet, start + 0.4 * source + number / 50)
    line.clockwork.run(4.0)
    after = line.receiver.statistics
    emitted = after.jitter_buffer_emitted_count - before.jitter_buffer_emitted_count
    assert emitted >= 8 * 5 * PACKET
    assert (after.jitter_buffer_delay - before.jitter_buffer_delay) / emitted <= 0.06
