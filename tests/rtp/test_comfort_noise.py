"""Noise where nothing is sent: as loud as the line, or as the sender says (RFC 3389)."""

import math
import random
from array import array
from types import SimpleNamespace
from typing import Any

import pytest
from glottis import Malformed
from glottis.rtp import Background, ComfortNoiseReader, PayloadReader, PlainReader, PlayoutStatistics
from glottis.rtp.receiver import AudioReceiver
from glottis.wire.rtp import build_rtp

CN = 13
FRAME = 160


@pytest.fixture
def receiver(media: SimpleNamespace) -> AudioReceiver:
    statistics, background = PlayoutStatistics(), Background()
    readers: dict[int, PayloadReader] = {
        96: PlainReader(media.linear_codec()),
        CN: ComfortNoiseReader(8000, background, statistics),
    }
    return AudioReceiver(readers, sample_rate=8000, statistics=statistics, background=background)


def packet(number: int, payload: bytes, payload_type: int = 96) -> bytes:
    """The one of this number, each of 20 ms."""
    return build_rtp(payload_type, number, 5000 + number * FRAME, 7, payload)


def hiss(media: SimpleNamespace, loudness: float, seed: int = 1) -> bytes:
    rng = random.Random(seed)
    pcm: bytes = media.pcm_of(round(rng.gauss(0.0, loudness)) for _ in range(FRAME))
    return pcm


def loudness_of(frames: list[Any]) -> float:
    samples = array("h", b"".join(frame.pcm for frame in frames))
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def talk(media: SimpleNamespace, clockwork: Any, first: int, count: int) -> None:
    """Half a second of a loud voice on a line that hisses, then a pause of a quarter in which it does, and again."""
    for number in range(first, first + count):
        loudness = 5000.0 if number % 38 < 25 else 50.0
        clockwork.send(packet(number, hiss(media, loudness, number)), 0.02 * number)


def test_a_long_gap_fades_to_the_noise_of_the_line(media: SimpleNamespace, clockwork: Any) -> None:
    talk(media, clockwork, 0, 76)
    clockwork.run(1.52 + 0.04 + 0.12)
    concealed = clockwork.receiver.statistics.concealed_samples
    clockwork.run(0.6)
    statistics = clockwork.receiver.statistics
    assert 30 < loudness_of(clockwork.frames[-25:]) < 80
    assert statistics.silent_concealed_samples >= 25 * FRAME
    assert statistics.concealed_samples - concealed == 30 * FRAME
    assert statistics.concealment_events == 1


def test_a_line_that_is_silent_in_pauses_stays_so_in_gaps(media: SimpleNamespace, clockwork: Any) -> None:
    for number in range(100):
        clockwork.send(packet(number, hiss(media, 5000.0 * (number % 50 < 25), number)), 0.02 * number)
    clockwork.run(2.8)
    assert loudness_of([frame for frame in clockwork.frames if frame][-25:]) == 0


@pytest.mark.parametrize(("level", "loudness"), [(50, 103.6), (60, 32.8), (127, 0.0), (0, 328.0), (255, 0.0)])
def test_a_pause_is_as_loud_as_the_sender_says_and_nothing_is_concealed(
    media: SimpleNamespace, clockwork: Any, level: int, loudness: float
) -> None:
    talk(media, clockwork, 0, 10)
    clockwork.send(packet(10, bytes([level]), CN), 0.2)
    for number in range(40, 50):
        later = build_rtp(96, number - 29, 5000 + number * FRAME, 7, hiss(media, 5000.0, number), marker=True)
        clockwork.send(later, 0.02 * number)
    clockwork.run(1.04)
    pause, statistics = clockwork.frames[12:42], clockwork.receiver.statistics
    assert loudness_of(pause) == pytest.approx(loudness, rel=0.1)
    assert loudness_of(clockwork.frames[42:52]) > 4000
    assert (statistics.concealed_samples, statistics.comfort_noise_received) == (0, 1)
    assert clockwork.receiver.source.packets_lost == 0


def test_a_pause_that_is_told_again_and_again_does_not_end_the_stream(media: SimpleNamespace, clockwork: Any) -> None:
    talk(media, clockwork, 0, 10)
    for number in range(10, 20):
        clockwork.send(build_rtp(CN, number, 5000 + number * FRAME * 40, 7, b"\x32"), 0.2 + 0.8 * (number - 10))
    clockwork.run(8.0)
    assert None not in clockwork.frames[2:]
    assert loudness_of(clockwork.frames[-10:]) > 90


@pytest.mark.parametrize("size", [0, 1, 1500])
def test_a_flood_of_it_adds_no_delay_and_no_frame(media: SimpleNamespace, clockwork: Any, size: int) -> None:
    number = 0
    for tick in range(100):
        clockwork.send(build_rtp(96, number, 5000 + tick * FRAME, 7, hiss(media, 5000.0, tick)), 0.02 * tick)
        for copy in range(1, 21):
            clockwork.send(build_rtp(CN, number + copy, tick * 7919, 7, b"\0" * size), 0.02 * tick)
        number += 21
    clockwork.run(2.0)
    assert loudness_of(clockwork.frames[2:]) > 4900
    assert clockwork.receiver.statistics.concealed_samples == 0


def test_fuzz_read_untrusted() -> None:
    """``ComfortNoiseReader.read_untrusted`` gives no audio, and raises ``Malformed`` and nothing else."""
    rng, statistics = random.Random(3389), PlayoutStatistics()
    reader = ComfortNoiseReader(8000, Background(), statistics)
    for _ in range(500):
        payload = rng.randbytes(rng.choice((0, 1, rng.randrange(1500))))
        try:
            assert not reader.read_untrusted(payload, rng.getrandbits(20), rng.getrandbits(40), 1.0)
        except Malformed:
            pytest.fail("every payload has a level, or is a keepalive")
