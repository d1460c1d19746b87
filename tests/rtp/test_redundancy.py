import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace

import pytest
from glottis import EncodedPacket, Malformed
from glottis.rtp import MAX_PAYLOAD_LENGTH, AdaptiveDelay, AudioReceiver, AudioSender, DelayPolicy, FixedDelay
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.payload import PayloadReader, PlainReader
from glottis.rtp.redundancy import MAX_OLDER_BLOCKS, RedReader, RedWriter
from glottis.wire.red import RedBlock, build_red, parse_red_untrusted
from glottis.wire.rtp import RtpPacket, build_rtp, parse_rtp_untrusted
from hypothesis import given
from hypothesis import strategies as st

RED, PLAIN = 63, 96
FRAME = 160


def make_receiver(media: SimpleNamespace, delay: DelayPolicy | None = None) -> AudioReceiver:
    statistics = PlayoutStatistics()
    plain = PlainReader(media.linear_codec())
    readers: dict[int, PayloadReader] = {PLAIN: plain, RED: RedReader({PLAIN: plain}, statistics)}
    return AudioReceiver(readers, sample_rate=8000, delay=delay, statistics=statistics)


@pytest.fixture
def writer() -> RedWriter:
    writer = RedWriter(RED, PLAIN)
    writer.level = 2
    return writer


@pytest.fixture
def sender(media: SimpleNamespace, writer: RedWriter) -> AudioSender:
    encoder = media.LinearEncoder(dtx=True)
    codec = media.linear_codec()
    return AudioSender(ssrc=7, writer=writer, codec=codec, encoder=encoder, sample_rate=8000, rng=random.Random(1))


Carry = Callable[..., SimpleNamespace]


@pytest.fixture
def carry(media: SimpleNamespace, sender: AudioSender) -> Carry:
    """What is heard of the values 1, 2, 3 … when those of these packets are lost, and the receiver's statistics."""

    def run(frames: int, lost: Sequence[int], *, encoded: bool = False, delay: float = 0.06) -> SimpleNamespace:
        clockwork = media.Clockwork(make_receiver(media, FixedDelay(delay)))
        sender.write(media.pcm_of(range(1, frames * FRAME + 1)))
        for index in range(frames):
            for packet in sender.next_packets(index * 0.02):
                if index not in lost:
                    clockwork.send(packet, index * 0.02)
        clockwork.run(frames * 0.02 + 0.2, encoded=encoded)
        return SimpleNamespace(
            heard=[value for value in clockwork.heard() if value > 0],
            packets=[packet for packets in clockwork.packets for packet in packets],
            statistics=clockwork.receiver.statistics,
        )

    return run


# Received


@pytest.mark.parametrize("lost", [(3,), (3, 4), (2, 5, 8), (2, 3, 6, 7)])
def test_up_to_two_packets_lost_in_a_row_are_heard_as_if_they_had_come(carry: Carry, lost: Sequence[int]) -> None:
    result = carry(12, lost)
    assert result.heard == list(range(1, 12 * FRAME + 1))
    assert result.statistics.packets_recovered == len(lost)
    assert result.statistics.red_recovered_units == len(lost) * FRAME
    assert result.statistics.packets_discarded == result.statistics.packets_duplicated == 0
    assert result.statistics.recovery_attempts == 0


@pytest.mark.parametrize("lost", [(4,), (4, 5), (4, 5, 6), (4, 5, 6, 7), (4, 5, 6, 7, 10)])
def test_up_to_four_are_where_copies_have_a_distance(carry: Carry, writer: RedWriter, lost: Sequence[int]) -> None:
    writer.spacing = 2
    result = carry(14, lost, delay=0.1)
    assert result.heard == list(range(1, 14 * FRAME + 1))
    assert result.statistics.packets_recovered == len(lost)
    assert result.statistics.packets_discarded == result.statistics.packets_duplicated == 0


def test_without_loss_copies_are_neither_heard_nor_counted(carry: Carry) -> None:
    result = carry(12, ())
    assert result.heard == list(range(1, 12 * FRAME + 1))
    assert result.statistics == PlayoutStatistics(
        total_samples_received=result.statistics.total_samples_received,
        concealed_samples=result.statistics.concealed_samples,
        silent_concealed_samples=result.statistics.silent_concealed_samples,
        concealment_events=1,
        jitter_buffer_delay=result.statistics.jitter_buffer_delay,
        jitter_buffer_target_delay=result.statistics.jitter_buffer_target_delay,
        jitter_buffer_emitted_count=12 * FRAME,
    )


def test_what_copies_cannot_bring_back_is_a_gap_of_its_length(carry: Carry) -> None:
    result = carry(12, (3, 4, 5))
    assert result.heard == [value for value in range(1, 12 * FRAME + 1) if not 3 * FRAME < value <= 4 * FRAME]
    assert result.statistics.packets_recovered == 2


def test_relayed_packets_that_were_recovered_are_not_lost(carry: Carry) -> None:
    result = carry(12, (3, 4, 8), encoded=True)
    assert [packet.lost_before for packet in result.packets] == [0] * 12
    assert result.packets[4].rtp_timestamp - result.packets[0].rtp_timestamp == 4 * FRAME


def test_copies_that_come_too_late_make_packets_wait_longer(media: SimpleNamespace, sender: AudioSender) -> None:
    clockwork = media.Clockwork(make_receiver(media, AdaptiveDelay()))
    sender.write(media.pcm_of([5] * 200 * FRAME))
    for index in range(200):
        for packet in sender.next_packets(index * 0.02):
            if index % 5:
                clockwork.send(packet, index * 0.02)
    clockwork.run(4.0)
    assert clockwork.receiver.delay.target >= 0.02
    assert clockwork.receiver.statistics.packets_recovered > 30


def test_a_packet_that_was_overtaken_by_its_copy_is_heard_once(media: SimpleNamespace, sender: AudioSender) -> None:
    clockwork = media.Clockwork(make_receiver(media, FixedDelay(0.06)))
    sender.write(media.pcm_of(range(1, 8 * FRAME + 1)))
    for index in range(8):
        for packet in sender.next_packets(index * 0.02):
            clockwork.send(packet, index * 0.02 + (0.025 if index == 3 else 0))
    clockwork.run(0.4)
    assert [value for value in clockwork.heard() if value > 0] == list(range(1, 8 * FRAME + 1))
    assert clockwork.receiver.statistics.packets_duplicated == 1


def older_than(newest: bytes, *older: RedBlock) -> bytes:
    return build_red(older, PLAIN, newest)


@pytest.mark.parametrize(
    ("block", "skipped"),
    [
        pytest.param(RedBlock(PLAIN, FRAME, bytes(2 * FRAME)), 0, id="a-good-one"),
        pytest.param(RedBlock(PLAIN, FRAME, b""), 1, id="of-no-length"),
        pytest.param(RedBlock(PLAIN, 0, bytes(2 * FRAME)), 1, id="no-older-than-the-packet"),
        pytest.param(RedBlock(PLAIN, FRAME, bytes(3)), 1, id="no-frame-of-the-codec"),
        pytest.param(RedBlock(8, FRAME, bytes(2 * FRAME)), 1, id="of-another-payload-type"),
        pytest.param(RedBlock(RED, FRAME, bytes(2 * FRAME)), 1, id="red-within-red"),
    ],
)
def test_older_blocks_of_no_use_are_skipped_and_counted_and_the_newest_is_heard(
    media: SimpleNamespace, block: RedBlock, skipped: int
) -> None:
    statistics = PlayoutStatistics()
    reader = RedReader({PLAIN: PlainReader(media.linear_codec())}, statistics)
    packets = reader.read_untrusted(older_than(b"ab" * FRAME, block), 9, 5000, 1.0)
    assert packets[0].payload == b"ab" * FRAME
    assert len(packets) == 2 - skipped
    assert statistics.red_blocks_skipped == skipped


@pytest.mark.parametrize("payload_type", [8, RED])
def test_a_newest_block_of_another_payload_type_or_red_within_red_is_malformed(
    media: SimpleNamespace, payload_type: int
) -> None:
    reader = RedReader({PLAIN: PlainReader(media.linear_codec())}, PlayoutStatistics())
    with pytest.raises(Malformed):
        reader.read_untrusted(bytes((payload_type,)) + bytes(2 * FRAME), 9, 5000, 1.0)


def test_of_a_packet_of_many_blocks_those_nearest_to_it_are_read(media: SimpleNamespace) -> None:
    statistics = PlayoutStatistics()
    reader = RedReader({PLAIN: PlainReader(media.linear_codec())}, statistics)
    blocks = [RedBlock(PLAIN, offset * FRAME, bytes(2)) for offset in range(100, 0, -1)]
    packets = reader.read_untrusted(older_than(bytes(2 * FRAME), *blocks), 9, 50000, 1.0)
    assert [50000 - packet.timestamp for packet in packets] == [n * FRAME for n in range(MAX_OLDER_BLOCKS + 1)]
    assert statistics.red_blocks_skipped == 100 - MAX_OLDER_BLOCKS


@pytest.mark.parametrize("payload", [b"", bytes((PLAIN,))])
def test_a_keepalive_holds_no_audio(media: SimpleNamespace, payload: bytes) -> None:
    reader = RedReader({PLAIN: PlainReader(media.linear_codec())}, PlayoutStatistics())
    assert list(reader.read_untrusted(payload, 9, 5000, 1.0)) == []


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 3 * FRAME)), max_size=40),
    st.lists(st.integers(0, 2 * FRAME), min_size=40, max_size=40),
)
def test_whatever_copies_say_playout_goes_on_with_a_whole_frame_in_each_tick(
    media: SimpleNamespace, numbers: list[tuple[int, int, int]], lengths: list[int]
) -> None:
    clockwork = media.Clockwork(make_receiver(media, FixedDelay(0.04)))
    for index, (skipped, early, offset) in enumerate(numbers):
        payload = older_than(bytes(2 * FRAME), RedBlock(PLAIN, offset, bytes(2 * lengths[index])))
        number = max(0, index + skipped - early)
        clockwork.send(build_rtp(RED, 100 + number, 5000 + number * FRAME, 7, payload), index * 0.01)
    clockwork.run(1.0)
    frames = [frame for frame in clockwork.frames if frame is not None]
    assert {len(frame.pcm) for frame in frames} <= {2 * FRAME}
    assert [frame.timestamp for frame in frames] == [n * FRAME for n in range(len(frames))]
    clockwork.receiver.handle_rtp(build_rtp(PLAIN, 500, 5000 + 400 * FRAME, 7, media.pcm_of([7] * FRAME)), 1.0)
    clockwork.run(0.2)
    assert clockwork.heard().count(7) == FRAME


@given(st.binary(max_size=400))
def test_fuzz_read_untrusted_of_red_raises_only_malformed(media: SimpleNamespace, payload: bytes) -> None:
    """RedReader.read_untrusted raises Malformed and nothing else."""
    reader = RedReader({PLAIN: PlainReader(media.linear_codec())}, PlayoutStatistics())
    with suppress(Malformed):
        reader.read_untrusted(payload, 1, 160, 0.0)


# Sent


def sent_by(sender: AudioSender, ticks: int, start: float = 0.0) -> list[RtpPacket]:
    return [parse_rtp_untrusted(data) for n in range(ticks) for data in sender.next_packets(start + n * 0.02)]


def offsets(packet: RtpPacket) -> list[int]:
    """Of the older blocks."""
    return [block.timestamp_offset for block in parse_red_untrusted(packet.payload)[:-1]]


def test_the_first_packet_is_plain_and_the_next_have_the_frames_before_them(
    media: SimpleNamespace, sender: AudioSender
) -> None:
    sender.write(media.pcm_of(range(1, 4 * FRAME + 1)))
    first, second, third, fourth = sent_by(sender, 4)
    assert (first.payload_type, second.payload_type) == (PLAIN, RED)
    assert offsets(second) == [FRAME]
    assert offsets(third) == offsets(fourth) == [2 * FRAME, FRAME]
    frames = [block.payload for block in parse_red_untrusted(fourth.payload)]
    assert frames == [media.pcm_of(range(n * FRAME + 1, (n + 1) * FRAME + 1)) for n in (1, 2, 3)]


def test_copies_may_have_a_distance_from_their_frames(
    media: SimpleNamespace, sender: AudioSender, writer: RedWriter
) -> None:
    writer.spacing = 2
    sender.write(media.pcm_of(range(1, 7 * FRAME + 1)))
    older = [offsets(packet) if packet.payload_type == RED else [] for packet in sent_by(sender, 7)]
    assert older == [[], [], [2 * FRAME], [2 * FRAME], *[[4 * FRAME, 2 * FRAME]] * 3]


def test_while_nothing_is_lost_packets_are_plain(
    media: SimpleNamespace, sender: AudioSender, writer: RedWriter
) -> None:
    writer.level = 0
    sender.write(media.pcm_of(range(1, 3 * FRAME + 1)))
    assert [(packet.payload_type, len(packet.payload)) for packet in sent_by(sender, 3)] == [(PLAIN, 2 * FRAME)] * 3


def test_over_a_pause_of_dtx_a_copy_has_the_time_of_its_own(media: SimpleNamespace, sender: AudioSender) -> None:
    sender.write(media.pcm_of([1] * FRAME + [0] * 3 * FRAME + [2] * FRAME))
    before, after = sent_by(sender, 5)
    assert after.timestamp - before.timestamp == 4 * FRAME == offsets(after)[0]
    assert after.sequence_number - before.sequence_number == 1


def test_after_a_long_pause_there_is_no_copy_that_the_field_cannot_date(
    media: SimpleNamespace, sender: AudioSender
) -> None:
    sender.write(media.pcm_of([1] * FRAME))
    assert len(sent_by(sender, 3)) == 1
    sender.write(media.pcm_of([2] * 2 * FRAME))
    first, second = sent_by(sender, 2, start=5.0)
    assert first.payload_type == PLAIN
    assert offsets(second) == [FRAME]


def test_a_relayed_gap_is_repeated_in_the_times_of_copies(media: SimpleNamespace, sender: AudioSender) -> None:
    frames = [EncodedPacket(b"ab" * FRAME, "linear", 8000, n * FRAME, FRAME, int(n == 3)) for n in (0, 1, 3)]
    sent = []
    for frame, now in zip(frames, (0.0, 0.02, 0.06), strict=True):
        sender.write_packet(frame)
        sent += sent_by(sender, 1, start=now)
    assert offsets(sent[2]) == [3 * FRAME, 2 * FRAME]
    assert sent[2].sequence_number - sent[1].sequence_number == 2


def test_frames_that_do_not_fit_together_go_without_copies(writer: RedWriter) -> None:
    writer.write(bytes(600), 0)
    assert len(writer.write(bytes(500), 960)) == 600 + 500 + 5
    assert writer.write(bytes(700), 1920) == bytes(700)  # 500, 700 and five of headers are more than 1200 bytes
    assert writer.write(bytes(MAX_PAYLOAD_LENGTH), 2880) == bytes(MAX_PAYLOAD_LENGTH)
    assert writer.payload_type == PLAIN
    assert writer.write(bytes(20), 3840) == bytes(20)
