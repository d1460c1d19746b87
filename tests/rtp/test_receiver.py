import random
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from glottis import AudioFrame, EncodedPacket, Malformed
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.delay import FixedDelay
from glottis.rtp.jitter_buffer import CAPACITY, JitterBuffer
from glottis.rtp.payload import BufferedPacket, PlainReader
from glottis.rtp.receiver import MAX_CANDIDATES, AudioReceiver
from glottis.testing.impairments import Impairments
from glottis.wire.rtp import build_rtp
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples


def frame_count(clockwork: Any) -> int:
    return sum(frame is not None for frame in clockwork.frames)


def test_nothing_is_heard_before_the_first_packet(clockwork: Any) -> None:
    clockwork.run(0.1)
    assert clockwork.frames == [None] * 5
    assert clockwork.receiver.statistics.concealed_samples == 0


def test_stream_is_heard_whole_after_the_target_delay(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(0.24)
    assert clockwork.frames[:2] == [None, None]
    assert clockwork.heard() == list(range(1600))
    assert [frame.timestamp for frame in clockwork.frames[2:]] == [160 * index for index in range(10)]


def test_frame_as_long_as_its_packet_is_not_copied(media: SimpleNamespace) -> None:
    decoded = bytes(320)

    class Decoder:
        def decode(self, payload: bytes) -> bytes:
            return decoded

    codec = replace(media.linear_codec(), create_decoder=lambda sample_rate: Decoder())
    receiver = AudioReceiver({96: PlainReader(codec)}, sample_rate=8000, delay=FixedDelay(0.0))
    receiver.handle_rtp(media.linear_stream(1)[0], 0.0)
    frame = receiver.next_frame(0.0)
    assert frame is not None
    assert frame.pcm is decoded


def test_lost_packet_is_recovered_from_the_next_without_added_delay(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        if index != 4:
            clockwork.send(packet, 0.02 * index)
    clockwork.run(0.24)
    assert clockwork.heard() == [*range(640), *[media.RECOVERED] * 160, *range(800, 1600)]
    statistics = clockwork.receiver.statistics
    assert (statistics.concealed_samples, statistics.concealment_events, statistics.recovery_attempts) == (160, 1, 1)


def test_two_lost_packets_are_one_concealed_and_one_recovered_frame(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        if index not in (4, 5):
            clockwork.send(packet, 0.02 * index)
    clockwork.run(0.24)
    lost = [*[media.CONCEALED] * 160, *[media.RECOVERED] * 160]
    assert clockwork.heard() == [*range(640), *lost, *range(960, 1600)]


def test_t9_packets_are_put_in_order_and_duplicates_dropped(clockwork: Any, media: SimpleNamespace) -> None:
    packets = media.linear_stream(10)
    for index, packet in enumerate(packets):
        clockwork.send(packet, 0.02 * index + (0.03 if index % 3 == 1 else 0.0))
        clockwork.send(packet, 0.02 * index + 0.035)
    clockwork.run(0.24)
    assert clockwork.heard() == list(range(1600))
    statistics = clockwork.receiver.statistics
    assert statistics.packets_duplicated + statistics.packets_discarded == 10


def test_packet_that_was_overtaken_and_comes_too_late_changes_nothing(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(20)):
        clockwork.send(packet, 0.02 * index + (0.09 if index == 4 else 0.0))
    clockwork.run(0.44)
    assert clockwork.heard()[800:] == list(range(800, 3200))
    assert clockwork.receiver.statistics.packets_discarded == 1


def test_long_packet_that_comes_in_the_middle_of_its_time_is_heard_from_there(
    clockwork: Any, media: SimpleNamespace
) -> None:
    for index, packet in enumerate(media.linear_stream(10, samples=480)):
        clockwork.send(packet, 0.06 * index + (0.05 if index == 4 else 0.0))
    clockwork.run(0.64)
    concealed = [media.CONCEALED] * 160  # the tick before it came
    assert clockwork.heard() == [*range(1920), *concealed, *range(2080, 4800)]


@pytest.mark.parametrize("duration_ms", [2.5, 5, 10, 20, 30, 40, 60, 120])
def test_t8_packets_of_any_duration_are_heard_whole(clockwork: Any, media: SimpleNamespace, duration_ms: float) -> None:
    samples = int(8 * duration_ms)
    count = 4800 // samples
    for index, packet in enumerate(media.linear_stream(count, samples=samples)):
        clockwork.send(packet, duration_ms / 1000 * (index + 1))
    clockwork.run(1.0)
    heard = clockwork.heard()
    assert heard[: count * samples] == list(range(count * samples))


def test_t8_durations_may_change_in_the_middle(clockwork: Any, media: SimpleNamespace) -> None:
    start, sequence = 0, 0
    for duration_ms in (20, 60, 10, 120, 2.5, 40):
        samples = int(8 * duration_ms)
        for _ in range(int(2000 / duration_ms)):
            packet = media.linear_stream(1, samples=samples, first=start, sequence=sequence, timestamp=start)[0]
            start, sequence = start + samples, sequence + 1
            clockwork.send(packet, start / 8000)  # complete, so a longer packet is later
    clockwork.run(start / 8000)
    heard = clockwork.heard()
    breaks = sum(second != (first + 1) % 30000 for first, second in pairwise(heard))
    concealed = clockwork.receiver.statistics.concealed_samples
    assert breaks - concealed < 20  # a few where the delay shrinks or grows, none while it stays
    assert concealed < 0.05 * len(heard)
    for second in range(2, len(heard) // 8000, 2):
        assert heard[second * 8000 - 4000] > 0


def test_t8_gap_of_discontinuous_transmission_is_filled_and_keeps_its_length(
    clockwork: Any, media: SimpleNamespace
) -> None:
    packets = media.linear_stream(30)
    for index in [*range(5), *range(25, 30)]:
        packet = bytearray(packets[index])
        packet[2:4] = (index if index < 5 else index - 20).to_bytes(2)  # nothing was lost
        clockwork.send(bytes(packet), 0.02 * index)
    clockwork.run(0.64)
    heard = clockwork.heard()
    assert heard == [*range(800), *[media.CONCEALED] * 960, *[0] * 2240, *range(4000, 4800)]
    assert clockwork.receiver.statistics.recovery_attempts == 0


def test_stream_that_stops_is_concealed_then_silent_then_over(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(2.0)
    heard = clockwork.heard()
    assert heard[1600:2560] == [media.CONCEALED] * 960
    assert set(heard[2560:]) == {0}
    assert frame_count(clockwork) == 57  # from 0.04 until a second after the last packet at 0.18
    assert clockwork.frames[-1] is None


def test_timestamp_goes_on_with_real_time_while_there_are_no_frames(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        clockwork.send(packet, 0.02 * index)
    for index, packet in enumerate(media.linear_stream(10, sequence=110, timestamp=99)):
        clockwork.send(packet, 5.0 + 0.02 * index)
    clockwork.run(5.24)
    first_again = clockwork.frames[252]
    assert clockwork.frames[251] is None
    assert first_again.timestamp == 250 * 160  # 5 s after the first, which was at tick 2
    assert media.values_of(first_again.pcm) == list(range(160))


def test_wrap_of_sequence_numbers_and_timestamps_is_not_heard(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10, sequence=65533, timestamp=2**32 - 500)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(0.24)
    assert clockwork.heard() == list(range(1600))
    assert clockwork.receiver.source.packets_lost == 0


@given(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.sampled_from([0, 3, 7]))
@settings(max_examples=examples(30))
def test_any_first_numbers_give_the_same_audio(
    media: SimpleNamespace, sequence: int, timestamp: int, lost: int
) -> None:
    receiver = AudioReceiver({8: PlainReader(media.EIGHT_BIT)}, sample_rate=8000)
    heard = b""
    for index in range(12):
        if index < 10 and index != lost:
            payload = bytes([index + 1]) * 160
            number, moment = (sequence + index) & 0xFFFF, (timestamp + 160 * index) & 0xFFFFFFFF
            receiver.handle_rtp(build_rtp(8, number, moment, 1, payload), 0.02 * index)
        frame = receiver.next_frame(0.02 * index)
        heard += frame.pcm[1::320] if frame is not None else b""
    expected = bytes(0 if index == lost else index + 1 for index in range(10))
    assert heard.rstrip(b"\0") == expected.lstrip(b"\0")


def test_codec_may_decode_to_a_rate_above_its_clock(media: SimpleNamespace) -> None:
    receiver = AudioReceiver({9: PlainReader(media.linear_codec())}, sample_rate=16000)
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(5, payload_type=9)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(0.14)
    assert clockwork.heard() == [value for value in range(800) for _ in range(2)]
    assert clockwork.frames[-1].timestamp == 4 * 320


# Delay


def delay_of(clockwork: Any, tick: int, media: SimpleNamespace) -> float:
    """Seconds from sending to hearing of the first sample of a tick's frame."""
    value: int = media.values_of(clockwork.frames[tick].pcm)[0]
    return (0.02 * tick - value / 8000) % 3.75  # values repeat after 30,000 samples


@pytest.mark.slow
def test_one_percent_loss_leaves_the_delay_constant_over_ten_minutes(media: SimpleNamespace) -> None:
    class Constant(media.EightBit):  # type: ignore[misc, name-defined]
        """Tells frames apart with as little computation as possible."""

        def decode(self, payload: bytes) -> bytes:
            return payload * 320

    codec = replace(media.EIGHT_BIT, create_decoder=lambda _: Constant(), payload_duration_untrusted=lambda _: 160)
    receiver = AudioReceiver({96: PlainReader(codec)}, sample_rate=8000)
    clockwork = media.Clockwork(receiver, Impairments(loss=0.01, delay=0.05, jitter=0.018))
    for index in range(30_000):
        payload = bytes([index % 251 + 1])
        clockwork.send(build_rtp(96, index & 0xFFFF, 160 * index, 1, payload), 0.02 * index)
    clockwork.run(600)
    first = next(tick for tick, frame in enumerate(clockwork.frames) if frame is not None)
    heard = [frame.pcm[0] for frame in clockwork.frames[first:]]
    right = sum(value == tick % 251 + 1 for tick, value in enumerate(heard))
    concealed = sum(value == 0 for value in heard)
    assert right + concealed == len(heard)
    assert 200 < concealed < 400
    assert clockwork.receiver.statistics.removed_samples_for_acceleration == 0


def test_burst_after_a_stall_adds_no_delay(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(50)):
        clockwork.send(packet, 0.5 if 0.2 <= 0.02 * index < 0.5 else 0.02 * index)
    clockwork.run(1.0)
    assert delay_of(clockwork, 5, media) == pytest.approx(0.04)
    assert delay_of(clockwork, 30, media) == pytest.approx(0.04)


def test_burst_at_the_start_is_cut_to_the_target(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(50)):
        clockwork.send(packet, max(0.02 * index, 0.4))
    clockwork.run(1.0)
    assert delay_of(clockwork, 30, media) == pytest.approx(0.06, abs=0.021)


@pytest.mark.parametrize("duration_ms", [20, 60])
def test_path_that_becomes_quicker_lets_the_delay_shrink_to_the_target(
    clockwork: Any, media: SimpleNamespace, duration_ms: int
) -> None:
    for index, packet in enumerate(media.linear_stream(4000 // duration_ms, samples=8 * duration_ms)):
        sent_at = duration_ms / 1000 * index
        clockwork.send(packet, sent_at + (0.2 if sent_at < 1.0 else 0.0))
    clockwork.run(3.8)
    assert delay_of(clockwork, 40, media) == pytest.approx(0.24)
    assert delay_of(clockwork, 180, media) == pytest.approx(0.04, abs=0.021)
    assert clockwork.receiver.statistics.removed_samples_for_acceleration > 0


@pytest.mark.parametrize("excess_ms", range(120, 240, 20))
def test_delay_of_long_packets_shrinks_at_any_phase(clockwork: Any, media: SimpleNamespace, excess_ms: int) -> None:
    for index, packet in enumerate(media.linear_stream(34, samples=960)):
        sent_at = 0.12 * index
        clockwork.send(packet, sent_at + (excess_ms / 1000 if sent_at < 1.0 else 0.0))
    clockwork.run(3.8)
    assert delay_of(clockwork, 180, media) == pytest.approx(0.04, abs=0.021)


def test_path_that_becomes_slower_is_followed(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(150)):
        clockwork.send(packet, 0.02 * index + (0.0 if index < 50 else 0.2))
    clockwork.run(3.0)
    assert delay_of(clockwork, 40, media) == pytest.approx(0.04)
    assert delay_of(clockwork, 100, media) == pytest.approx(0.24, abs=0.021)
    assert clockwork.heard()[-4000:] == [
        value % 30000 for value in range(clockwork.heard()[-4000], clockwork.heard()[-1] + 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("drift", [-0.002, 0.002])
def test_drift_between_the_clocks_is_followed(clockwork: Any, media: SimpleNamespace, drift: float) -> None:
    for index, packet in enumerate(media.linear_stream(3000)):
        clockwork.send(packet, 0.02 * index * (1 + drift))
    clockwork.run(58)
    heard = clockwork.heard()
    expected = 58 / (1 + drift) * 8000 % 30000
    last = max(value for value in heard[-1600:])
    assert expected - last < 0.2 * 8000
    assert clockwork.receiver.statistics.concealed_samples < 0.05 * len(heard)


def test_smaller_target_delay_takes_effect_in_the_middle(media: SimpleNamespace) -> None:
    delay = FixedDelay(0.2)
    receiver = AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000, delay=delay)
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(200)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(1.0)
    assert delay_of(clockwork, 40, media) == pytest.approx(0.2)
    delay.target = 0.04
    clockwork.run(2.5)
    assert delay_of(clockwork, 170, media) == pytest.approx(0.04)
    assert receiver.statistics.removed_samples_for_acceleration == 8 * 160


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("jitter", [0.0, 0.03])
def test_impaired_stream_is_heard_in_order_and_on_time(media: SimpleNamespace, loss: float, jitter: float) -> None:
    receiver = AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000)
    clockwork = media.Clockwork(receiver, Impairments(loss=loss, duplication=loss, delay=0.03, jitter=jitter), seed=5)
    for index, packet in enumerate(media.linear_stream(180)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(3.6)
    heard = clockwork.heard()
    lead = heard.index(1) - 1
    played = sum(value == place - lead for place, value in enumerate(heard))  # in its place, whatever was lost
    assert played >= (1 - loss) * 0.9 * len(heard)
    assert receiver.statistics.concealed_samples >= len(heard) - played - 1
    assert receiver.statistics.concealed_samples <= (loss + 0.06) * len(heard)


def test_packet_held_up_by_a_wrong_timestamp_of_another_is_not_decoded_too_late(
    clockwork: Any, media: SimpleNamespace
) -> None:
    for index, packet in enumerate(media.linear_stream(60)):
        wrong = packet[:4] + (5000 + 160 * index + 6400).to_bytes(4) + packet[8:]
        clockwork.send(wrong if index == 10 else packet, 0.02 * index)
    clockwork.run(1.2)
    assert clockwork.heard()[-800:] == list(range(58 * 160 - 800, 58 * 160))
    assert clockwork.receiver.statistics.packets_discarded > 10


# Formats and sources


def test_t9_unknown_payload_types_are_split_off_and_not_lost(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        data = bytearray(packet)
        data[2:4] = (2 * index).to_bytes(2)
        clockwork.send(bytes(data), 0.02 * index)
        clockwork.send(build_rtp(101, 2 * index + 1, 77, 7, b"\x05\x0a\x00\xa0"), 0.02 * index)
    clockwork.run(0.24)
    assert clockwork.heard() == list(range(1600))
    assert clockwork.receiver.statistics.packets_unknown == 10
    assert clockwork.receiver.source.packets_lost == 0


def test_t9_payload_type_change_brings_a_new_decoder(media: SimpleNamespace) -> None:
    receiver = AudioReceiver({96: PlainReader(media.linear_codec()), 8: PlainReader(media.EIGHT_BIT)}, sample_rate=8000)
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(5, sequence=0, timestamp=0)):
        clockwork.send(packet, 0.02 * index)
    for index in range(5, 10):
        clockwork.send(build_rtp(8, index, 160 * index, 7, bytes([index]) * 160), 0.02 * index)
    clockwork.run(0.24)
    assert clockwork.heard() == [*range(800), *(value << 8 for value in range(5, 10) for _ in range(160))]


def test_t9_payload_type_of_another_clock_restarts_the_timeline(media: SimpleNamespace) -> None:
    receiver = AudioReceiver(
        {96: PlainReader(media.linear_codec(48000)), 8: PlainReader(media.linear_codec(8000))}, sample_rate=48000
    )
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(10, samples=960, sequence=0)):
        clockwork.send(packet, 0.02 * index)
    for index in range(10, 20):
        clockwork.send(build_rtp(8, index, 160 * index, 7, media.pcm_of([index]) * 160), 0.02 * index)
    clockwork.run(0.44)
    heard = clockwork.heard()
    assert heard[:960] == list(range(960))
    assert heard[-10 * 960 :] == [index for index in range(10, 20) for _ in range(960)]
    assert receiver.clock_rate == 8000


def test_t9_new_source_takes_over_when_it_carries_on(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        clockwork.send(packet, 0.02 * index)
    for index, packet in enumerate(media.linear_stream(20, ssrc=8, first=10000, sequence=9000, timestamp=77)):
        clockwork.send(packet, 0.2 + 0.02 * index)
    clockwork.run(0.64)
    heard = clockwork.heard()
    assert heard[:1600] == list(range(1600))
    assert clockwork.receiver.source.ssrc == 8
    assert heard[-1] == 10000 + 20 * 160 - 1
    assert min(value for value in heard if value >= 10000) <= 10000 + 3 * 160


def test_second_source_at_the_same_time_is_left_alone(clockwork: Any, media: SimpleNamespace) -> None:
    other = media.linear_stream(30, ssrc=8, first=10000, sequence=9000)
    for index, packet in enumerate(media.linear_stream(30)):
        clockwork.send(packet, 0.02 * index)
        clockwork.send(other[index], 0.02 * index)
    clockwork.run(0.64)
    assert clockwork.heard() == list(range(4800))


def test_source_with_a_packet_now_and_then_does_not_take_over(clockwork: Any, media: SimpleNamespace) -> None:
    clockwork.send(media.linear_stream(1)[0], 0.0)
    for index, packet in enumerate(media.linear_stream(20, ssrc=8)):
        if index % 3:
            clockwork.send(packet, 0.5 + 0.02 * index)
    clockwork.run(1.0)
    assert clockwork.receiver.source.ssrc == 7


def test_flood_of_sources_is_bounded(receiver: AudioReceiver, media: SimpleNamespace) -> None:
    for ssrc in range(1000):
        receiver.handle_rtp(media.linear_stream(1, ssrc=ssrc)[0], 0.001 * ssrc)
    assert receiver.source is not None
    assert receiver.source.ssrc == 0
    assert len(receiver._candidates) <= MAX_CANDIDATES
    assert receiver.statistics.packets_stray == 999


def test_source_that_restarts_its_numbers_goes_on(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10, sequence=20000)):
        clockwork.send(packet, 0.02 * index)
    for index, packet in enumerate(media.linear_stream(30, sequence=100, timestamp=1, first=10000)):
        clockwork.send(packet, 0.2 + 0.02 * index)
    clockwork.run(0.84)
    assert clockwork.heard()[-1] == 10000 + 30 * 160 - 1


# Bounds and errors


def test_packets_that_nobody_plays_are_bounded_and_the_newest_are_kept(clockwork: Any, media: SimpleNamespace) -> None:
    packets = media.linear_stream(CAPACITY + 100)
    for index, packet in enumerate(packets):
        clockwork.receiver.handle_rtp(packet, 0.02 * index)
    assert clockwork.receiver.statistics.packets_discarded == 100
    frame = clockwork.receiver.next_frame(0.02 * len(packets))
    assert media.values_of(frame.pcm)[0] >= (len(packets) - 4) * 160 % 30000


def test_payload_that_the_decoder_refuses_is_concealed(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10)):
        clockwork.send(packet[:12] + media.REFUSED if index == 4 else packet, 0.02 * index)
    clockwork.run(0.24)
    assert clockwork.heard() == [*range(640), *[media.CONCEALED] * 160, *range(800, 1600)]
    assert clockwork.receiver.statistics.decoder_errors == 1


@pytest.mark.parametrize("payload", [bytes(3), bytes(2 * 1601)], ids=["refused by the codec", "over 200 ms"])
def test_payload_of_no_possible_duration_is_malformed(receiver: AudioReceiver, payload: bytes) -> None:
    with pytest.raises(Malformed):
        receiver.handle_rtp(build_rtp(96, 1, 1, 1, payload), 0.0)


def test_malformed_payload_of_another_clock_does_not_cost_what_waits(media: SimpleNamespace) -> None:
    receiver = AudioReceiver(
        {96: PlainReader(media.linear_codec()), 97: PlainReader(media.linear_codec(48000))}, sample_rate=8000
    )
    receiver.handle_rtp(media.linear_stream(1)[0], 0.0)
    with pytest.raises(Malformed):
        receiver.handle_rtp(build_rtp(97, 101, 0, 7, bytes(3)), 0.01)
    assert receiver.next_frame(0.04) is not None


@pytest.mark.parametrize("offset", range(-4, 5))
def test_gap_that_is_no_whole_number_of_samples_is_bridged(media: SimpleNamespace, offset: int) -> None:
    codec = replace(media.linear_codec(48000), create_decoder=lambda _: media.linear_codec().create_decoder(8000))
    codec = replace(codec, payload_duration_untrusted=lambda payload: len(payload) * 3)
    receiver = AudioReceiver({96: PlainReader(codec)}, sample_rate=8000)
    clockwork = media.Clockwork(receiver)
    for index in range(20):
        timestamp = 960 * index + (offset if index > 5 else 0)
        if index != 6:
            clockwork.send(build_rtp(96, index, timestamp, 1, media.pcm_of([index + 1] * 160)), 0.02 * index)
    clockwork.run(0.44)
    heard = clockwork.heard()
    assert len(heard) == 20 * 160
    assert heard[:960] == [value for value in range(1, 7) for _ in range(160)]
    assert set(heard[-320:-5]) == {19, 20}


def test_timestamp_far_ahead_starts_playout_anew(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(5, sequence=0, timestamp=0)):
        clockwork.send(packet, 0.02 * index)
    for index, packet in enumerate(media.linear_stream(10, sequence=5, timestamp=2**31 - 1, first=10000)):
        clockwork.send(packet, 0.1 + 0.02 * index)
    clockwork.run(0.4)
    assert clockwork.heard()[-160 * 6 - 1] > 0
    assert max(clockwork.heard()) == 10000 + 1600 - 1


@pytest.mark.parametrize(("clock_rate", "sample_rate"), [(8000, 8000), (8000, 48000), (48000, 16000)])
def test_fuzz_handle_rtp(media: SimpleNamespace, clock_rate: int, sample_rate: int) -> None:
    """AudioReceiver.handle_rtp raises nothing but Malformed, and every tick gives a frame of 20 ms or None."""
    rng = random.Random(clock_rate + sample_rate)

    class Decoder(media.EightBit):  # type: ignore[misc, name-defined]
        def decode(self, payload: bytes) -> bytes:
            if payload[:1] == b"\xff":
                raise Malformed("refused")
            return bytes(len(payload) * sample_rate // 8000 * 2)

    codec = replace(
        media.EIGHT_BIT,
        clock_rate=clock_rate,
        create_decoder=lambda _: Decoder(),
        payload_duration_untrusted=lambda payload: len(payload) * clock_rate // 8000,
    )
    receiver = AudioReceiver({8: PlainReader(codec)}, sample_rate=sample_rate)
    for tick in range(2000):
        for _ in range(rng.randint(0, 3)):
            number = rng.choice([tick, tick + rng.randint(-3, 3), rng.getrandbits(16)])
            exact = tick * clock_rate // 50
            timestamp = rng.choice([exact, exact, exact + rng.randint(-3000, 3000), rng.getrandbits(32)])
            payload = rng.randbytes(rng.choice([0, 1, 80, 160, 160, 161, 960, 1601]))
            ssrc = rng.choice([1, 1, 1, 2, rng.getrandbits(32)])
            packet = bytearray(
                build_rtp(rng.choice([8, 8, 8, 13]), number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload)
            )
            if rng.random() < 0.1:
                packet[rng.randrange(len(packet))] = rng.getrandbits(8)
            with suppress(Malformed):
                receiver.handle_rtp(bytes(packet), 0.02 * tick)
        if tick % 100 > 80:  # the agent reads packets for a while
            receiver.next_packets(0.02 * tick)
        else:
            frame = receiver.next_frame(0.02 * tick)
            assert frame is None or frame.sample_count == sample_rate // 50


# Packets


def test_encoded_packets_come_in_order_at_their_time(clockwork: Any, media: SimpleNamespace) -> None:
    packets = media.linear_stream(10)
    for index, packet in enumerate(packets):
        if index != 4:
            clockwork.send(packet, 0.02 * index + (0.03 if index == 7 else 0.0))
    clockwork.run(0.24, encoded=True)
    assert [len(due) for due in clockwork.packets] == [0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1]
    due = [packet for packets in clockwork.packets for packet in packets]
    assert [packet.rtp_timestamp for packet in due] == [5000 + 160 * index for index in range(10) if index != 4]
    assert [packet.lost_before for packet in due] == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert due[0].payload == packets[0][12:]
    assert (due[0].encoding_name, due[0].clock_rate, due[0].duration) == ("linear", 8000, 160)


def test_event_between_two_packets_is_not_told_as_a_loss(clockwork: Any, media: SimpleNamespace) -> None:
    first, event, second, _, third = media.linear_stream(5)
    clockwork.send(first, 0.0)
    clockwork.send(event[:1] + bytes([101]) + event[2:], 0.02)
    clockwork.send(second, 0.04)
    clockwork.send(third, 0.08)
    clockwork.run(0.2, encoded=True)
    assert [packet.lost_before for due in clockwork.packets for packet in due] == [0, 0, 1]


def test_restart_of_the_source_is_not_told_as_a_loss(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(5, sequence=60000, timestamp=0)):
        clockwork.send(packet, 0.02 * index)
    for index, packet in enumerate(media.linear_stream(10, sequence=100, timestamp=800)):
        clockwork.send(packet, 0.1 + 0.02 * index)
    clockwork.run(0.4, encoded=True)
    due = [packet for packets in clockwork.packets for packet in packets]
    assert len(due) == 14  # the first packet after the jump shows the jump and is dropped
    assert clockwork.receiver.statistics.packets_stray == 1
    assert {packet.lost_before for packet in due} == {0}


def test_several_short_packets_are_due_in_one_tick(clockwork: Any, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(32, samples=40)):
        clockwork.send(packet, 0.005 * index)
    clockwork.run(0.2, encoded=True)
    assert [len(due) for due in clockwork.packets[2:]] == [4] * 8


def test_frames_and_packets_of_a_tick_can_be_had_together(
    clockwork: Any, receiver: AudioReceiver, media: SimpleNamespace
) -> None:
    other = AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000)
    frames: list[AudioFrame | None] = []
    packets: list[EncodedPacket] = []
    for index, packet in enumerate(media.linear_stream(12)):
        if index != 4:
            clockwork.send(packet, 0.02 * index)
            other.handle_rtp(packet, 0.02 * index)
        frames.append(other.next_frame(0.02 * index + 0.0005, packets))
    clockwork.run(0.24)
    assert frames == clockwork.frames
    assert [packet.rtp_timestamp for packet in packets] == [5000 + 160 * index for index in range(10) if index != 4]
    assert [packet.lost_before for packet in packets] == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert other.statistics.jitter_buffer_emitted_count == receiver.statistics.jitter_buffer_emitted_count


def test_before_a_packet_older_than_the_one_played_last_none_is_missing(media: SimpleNamespace) -> None:
    codec, buffer = media.linear_codec(), JitterBuffer(8000, FixedDelay(), PlayoutStatistics())
    older, newer = (BufferedPacket(number, 160 * number, 160, b"", codec, 0.0) for number in (40, 100))
    buffer.insert(newer)
    assert buffer.start(1.0)
    buffer.pop()
    assert buffer.missing_before(older) == 0
