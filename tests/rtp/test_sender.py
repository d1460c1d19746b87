import random
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import pytest
from glottis import EncodedPacket, Heard
from glottis.rtp.payload import MAX_PAYLOAD_LENGTH, PlainReader, PlainWriter
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.sender import AudioSender
from glottis.wire.rtp import RtpPacket, parse_rtp_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

MakeSender = Callable[..., AudioSender]


@pytest.fixture(scope="module")
def make_sender(media: SimpleNamespace) -> MakeSender:
    def make(clock_rate: int = 8000, sample_rate: int = 8000, frame_ms: float = 20, dtx: bool = False) -> AudioSender:
        return AudioSender(
            ssrc=7,
            writer=PlainWriter(96),
            codec=media.linear_codec(clock_rate),
            encoder=media.LinearEncoder(dtx),
            sample_rate=sample_rate,
            frame_ms=frame_ms,
            rng=random.Random(1),
        )

    return make


def tick(sender: AudioSender, now: float) -> list[RtpPacket]:
    return [parse_rtp_untrusted(packet) for packet in sender.next_packets(now)]


def run(sender: AudioSender, ticks: int, start: float = 0.0, tick_ms: float = 20) -> list[RtpPacket]:
    return [packet for index in range(ticks) for packet in tick(sender, start + index * tick_ms / 1000)]


def steps(packets: list[RtpPacket]) -> list[int]:
    return [(second.timestamp - first.timestamp) & 0xFFFFFFFF for first, second in pairwise(packets)]


@given(st.lists(st.integers(0, 900), max_size=30), st.sampled_from([10, 20, 40, 60]))
@settings(max_examples=examples(60))
def test_t6_any_chunking_gives_the_same_samples_with_padding_at_the_end_only(
    make_sender: MakeSender, media: SimpleNamespace, chunks: list[int], frame_ms: int
) -> None:
    sender = make_sender(frame_ms=frame_ms)
    start = 0
    for chunk in chunks:
        sender.write(media.pcm_of(value % 30000 + 1 for value in range(start, start + chunk)))
        start += chunk
    assert sender.queued == pytest.approx(start / 8000)
    packets = run(sender, start // 160 + 10)
    sent = [value for packet in packets for value in media.values_of(packet.payload)]
    assert all(len(packet.payload) == 16 * frame_ms for packet in packets)
    assert sent[:start] == [value % 30000 + 1 for value in range(start)]
    assert set(sent[start:]) <= {0}
    assert len(sent) - start < 8 * frame_ms
    assert sender.queued == 0.0


def test_what_comes_after_a_tick_that_could_have_sent_it_is_overdue(make_sender: MakeSender) -> None:
    sender = make_sender()
    assert tick(sender, 0.0) == []
    overdue = []
    for _ in range(2):  # half a frame waits for the rest
        sender.write(bytes(160))
        overdue.append(sender.is_overdue)
    assert len(tick(sender, 0.005)) == 1
    sender.write(bytes(320))  # 20 ms after the one before
    assert [*overdue, sender.is_overdue] == [False, True, False]


def test_t6_one_packet_leaves_per_tick_and_per_frame(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(320 * 5))
    counts = [len(tick(sender, 0.02 * index)) for index in range(7)]
    assert counts == [1, 1, 1, 1, 1, 0, 0]


def test_frame_is_encoded_without_a_copy(make_sender: MakeSender) -> None:
    sender = make_sender()
    seen = []
    sender.encoder.encode = lambda pcm: seen.append(pcm) or pcm  # type: ignore[method-assign, func-returns-value]
    frame = bytes(320)
    sender.write(frame)
    tick(sender, 0.0)
    assert seen[0] is frame


@pytest.mark.parametrize(("clock_rate", "sample_rate", "step"), [(8000, 16000, 160), (48000, 16000, 960)])
def test_t4_timestamps_step_by_the_rtp_clock(
    make_sender: MakeSender, clock_rate: int, sample_rate: int, step: int
) -> None:
    sender = make_sender(clock_rate, sample_rate)
    sender.write(bytes(640 * 5))
    assert steps(run(sender, 5)) == [step] * 4


def test_t4_timestamp_advances_over_silence_by_real_time_in_whole_frames(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(640))
    packets = run(sender, 100)
    sender.write(bytes(640))
    packets += run(sender, 2, start=2.003)
    assert steps(packets) == [160, 99 * 160, 160]
    assert [packet.sequence_number - packets[0].sequence_number for packet in packets] == [0, 1, 2, 3]


def test_t4_marker_is_on_the_first_packet_of_each_talk_spurt(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(640))
    packets = run(sender, 50)
    sender.write(bytes(640))
    packets += run(sender, 2, start=1.0)
    assert [packet.marker for packet in packets] == [True, False, True, False]


@pytest.mark.parametrize(
    ("frame_ms", "expected"), [(10, [2, 2, 2, 2, 2, 2]), (40, [1, 0, 1, 0, 1, 0]), (60, [1, 0, 0, 1, 0, 0])]
)
def test_t5_frames_of_other_durations_keep_their_pace_at_ticks_of_20_ms(
    make_sender: MakeSender, frame_ms: int, expected: list[int]
) -> None:
    sender = make_sender(frame_ms=frame_ms)
    sender.write(bytes(16 * 300))
    packets = [tick(sender, 0.02 * index + 0.001) for index in range(6)]
    assert [len(due) for due in packets] == expected
    assert set(steps([packet for due in packets for packet in due])) == {8 * frame_ms}


@pytest.mark.parametrize("seed", range(10))
def test_uneven_ticks_send_one_packet_each(make_sender: MakeSender, seed: int) -> None:
    sender, rng = make_sender(), random.Random(seed)
    sender.write(bytes(320 * 200))
    counts = [len(tick(sender, 0.02 * index + rng.uniform(0.0, 0.009))) for index in range(190)]
    assert set(counts) == {1}


def test_missed_ticks_are_made_up_for(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(320 * 20))
    tick(sender, 0.0)
    assert len(tick(sender, 0.08)) == 4
    assert len(tick(sender, 0.10)) == 1


@given(
    st.sampled_from([-0.01, -0.005, 0.0, 0.005]),
    st.dictionaries(st.integers(2, 30), st.floats(0.0, 0.09), max_size=6),
)
@settings(max_examples=examples(100))
def test_what_makes_up_for_late_ticks_is_no_earlier_than_all_else(
    make_sender: MakeSender, phase: float, late: dict[int, float]
) -> None:
    """A listener takes the earliest packet for what the path takes. Of the ticks that are missed one comes."""
    sender = make_sender()
    sender.write(bytes(320 * 60))
    first = tick(sender, 0.0)[0].timestamp
    now, transits = 0.0, []
    for index in range(1, 40):
        if (regular := 0.02 * index + phase) > now:
            now = regular + late.get(index, 0.0)
            transits += [now - (packet.timestamp - first) / 8000 for packet in tick(sender, now)]
    assert min(transits) >= min(phase, 0.0) - 0.0011
    assert transits[-1] == pytest.approx(phase)


def test_who_says_one_packet_at_a_time_is_in_time_again_after_a_late_tick(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(320))

    def turn(now: float) -> list[tuple[float, RtpPacket]]:
        sent = [(now, packet) for packet in tick(sender, now)]
        if sent:
            sender.write(bytes(320))
        return sent + turn(now) if sender.is_overdue else sent

    sent = [each for now in (0.0, 0.02, 0.095, 0.1, 0.12) for each in turn(now)]
    first = sent[0][1].timestamp
    transits = [round(1000 * now - (packet.timestamp - first) / 8) for now, packet in sent]
    assert transits == [0, 0, 55, 35, 15, 0, 0]


def test_long_stall_becomes_a_gap_instead_of_a_burst(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(320 * 20))
    packets = tick(sender, 0.0) + tick(sender, 0.5) + tick(sender, 0.52)
    assert steps(packets) == [25 * 160, 160]
    assert [packet.marker for packet in packets] == [True, True, False]


def test_audio_that_comes_one_tick_late_goes_on_without_a_break(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(320))
    packets = tick(sender, 0.0) + tick(sender, 0.02)
    sender.write(bytes(320))
    packets += tick(sender, 0.04)
    assert steps(packets) == [160]
    assert [packet.marker for packet in packets] == [True, False]


def test_partial_frame_waits_one_tick_and_is_padded_with_silence(
    make_sender: MakeSender, media: SimpleNamespace
) -> None:
    sender = make_sender()
    sender.write(media.pcm_of([5] * 100))
    assert tick(sender, 0.0) == []
    [packet] = tick(sender, 0.02)
    assert media.values_of(packet.payload) == [5] * 100 + [0] * 60
    assert tick(sender, 0.04) == []


def test_partial_frame_that_is_completed_in_time_is_not_padded(make_sender: MakeSender, media: SimpleNamespace) -> None:
    sender = make_sender(frame_ms=60)
    packets = []
    for index in range(30):
        sender.write(media.pcm_of(range(160 * index, 160 * (index + 1))))
        packets += tick(sender, 0.02 * index)
    assert [value for packet in packets for value in media.values_of(packet.payload)] == list(range(4800))
    assert set(steps(packets)) == {480}


def test_silent_frames_of_discontinuous_transmission_are_not_sent_but_time_goes_on(
    make_sender: MakeSender, media: SimpleNamespace
) -> None:
    sender = make_sender(dtx=True)
    voice = media.pcm_of([9] * 160)
    for pcm in (voice, bytes(320), bytes(320), voice, voice):
        sender.write(pcm)
    packets = run(sender, 6)
    assert steps(packets) == [480, 160]
    assert [packet.marker for packet in packets] == [True, True, False]
    assert sender.packets_sent == 3


def test_flush_stops_at_once_and_tells_what_was_sent(make_sender: MakeSender) -> None:
    sender = make_sender()
    sender.write(bytes(16 * 250))
    assert len(run(sender, 4)) == 4
    heard = sender.flush()
    assert (heard.sent, heard.dropped) == pytest.approx((0.08, 0.17))
    assert run(sender, 10, start=0.08) == []
    assert sender.flush() == Heard(sent=0.0, dropped=0.0)


def test_half_a_sample_is_refused(make_sender: MakeSender) -> None:
    with pytest.raises(ValueError, match="whole samples"):
        make_sender().write(bytes(3))


def test_t4_receiver_hears_the_sender_over_pauses_in_the_same_rhythm(
    make_sender: MakeSender, media: SimpleNamespace
) -> None:
    sender = make_sender()
    clockwork = media.Clockwork(AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000))
    for index in range(100):
        now = 0.02 * index
        if index % 20 < 12:
            sender.write(media.pcm_of([index + 1] * 160))
        for packet in sender.next_packets(now):
            clockwork.send(packet, now)
        clockwork.run(0.02)
    rhythm = [frame and media.values_of(frame.pcm)[0] for frame in clockwork.frames]
    assert [value for value in rhythm[2:] if value and value > 0] == [i + 1 for i in range(98) if i % 20 < 12]
    assert rhythm[2:15] == [*range(1, 13), media.CONCEALED]
    assert rhythm[22:34] == list(range(21, 33))


# Packets


def encoded(index: int, lost_before: int = 0, duration: int = 160) -> EncodedPacket:
    return EncodedPacket(b"frame %d" % index, "linear", 8000, 1000 + 160 * index, duration, lost_before)


def test_each_encoded_packet_becomes_one_rtp_packet_at_its_time(make_sender: MakeSender) -> None:
    sender = make_sender()
    for index in (0, 3, 6):
        sender.write_packet(encoded(index, duration=480))
    assert sender.queued == pytest.approx(0.18)
    counts = [tick(sender, 0.02 * index) for index in range(9)]
    assert [len(due) for due in counts] == [1, 0, 0, 1, 0, 0, 1, 0, 0]
    packets = [packet for due in counts for packet in due]
    assert [packet.payload for packet in packets] == [b"frame 0", b"frame 3", b"frame 6"]
    assert steps(packets) == [480, 480]


def test_relayed_loss_stays_a_loss_and_adds_no_delay(make_sender: MakeSender) -> None:
    sender = make_sender()
    packets = []
    for index in range(200):
        if index % 10 != 5:
            sender.write_packet(encoded(index, lost_before=int(index % 10 == 6)))
        packets += tick(sender, 0.02 * index)
    sent = [(packet.timestamp - packets[0].timestamp) // 160 for packet in packets]
    assert sent == [index for index in range(200) if index % 10 != 5]
    assert packets[-1].sequence_number - packets[0].sequence_number == 199
    assert sender.queued == 0.0
    assert sum(packet.marker for packet in packets) == 1


def test_relayed_packets_that_skip_to_lessen_delay_are_sent_without_a_gap(make_sender: MakeSender) -> None:
    sender = make_sender()
    packets = []
    for index in range(40):
        sender.write_packet(encoded(index if index < 20 else index + 3))
        packets += tick(sender, 0.02 * index)
    assert set(steps(packets)) == {160}
    assert len(packets) == 40


def test_packets_and_samples_keep_their_order(make_sender: MakeSender, media: SimpleNamespace) -> None:
    sender = make_sender()
    sender.write(media.pcm_of([5] * 200))
    sender.write_packet(encoded(0))
    sender.write(bytes(320))
    payloads = [packet.payload for packet in run(sender, 5)]
    assert payloads == [media.pcm_of([5] * 160), media.pcm_of([5] * 40 + [0] * 120), b"frame 0", bytes(320)]


@pytest.mark.parametrize(
    "packet",
    [
        EncodedPacket(b"x", "opus", 48000, 0, 960),
        EncodedPacket(b"x", "linear", 16000, 0, 160),
        EncodedPacket(b"", "linear", 8000, 0, 160),
        EncodedPacket(b"x", "linear", 8000, 0, 0),
        EncodedPacket(bytes(MAX_PAYLOAD_LENGTH + 1), "linear", 8000, 0, 160),
    ],
)
def test_packet_that_does_not_fit_the_track_is_refused(make_sender: MakeSender, packet: EncodedPacket) -> None:
    sender = make_sender()
    with pytest.raises(ValueError, match="expected"):
        sender.write_packet(packet)
    assert sender.queued == 0.0


def test_first_numbers_are_random_and_leave_room_before_the_first_wrap(media: SimpleNamespace) -> None:
    firsts = set()
    for seed in range(50):
        codec = media.linear_codec()
        sender = AudioSender(
            ssrc=1, writer=PlainWriter(0), codec=codec, encoder=media.LinearEncoder(), sample_rate=8000,
            rng=random.Random(seed),
        )  # fmt: skip
        sender.write(bytes(320))
        [packet] = tick(sender, 0.0)
        assert packet.sequence_number < 1 << 15
        firsts.add((packet.sequence_number, packet.timestamp))
    assert len(firsts) == 50


def test_pauses_leave_the_queue_without_a_packet_and_that_is_told(make_sender: MakeSender) -> None:
    sender = make_sender(dtx=True)
    sender.write(bytes(320 * 2))
    told = [(tick(sender, 0.02 * index), sender.has_moved_on, sender.queued > 0) for index in range(4)]
    assert told == [([], True, True), ([], True, False), ([], False, False), ([], False, False)]
