import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
from glottis import EncodedPacket
from glottis.rtp import BitrateLimited, EventFormat, PathReported, Protector, ReportReceived, Tone
from glottis.rtp.congestion import LIMIT_LIFETIME, RateController
from glottis.rtp.level import SILENCE, audio_level
from glottis.rtp.loss import Loss, protection
from glottis.rtp.redundancy import RedWriter
from glottis.rtp.sender import AudioSender
from glottis.wire.rtp import parse_rtp_untrusted

LEAST, MOST = 20_000.0, 60_000.0


@pytest.fixture
def controller() -> RateController:
    return RateController(LEAST, MOST)


def follow(
    controller: RateController, seconds: float, *, lost: int = 0, queue: float = 0.0, start: float = 0.0
) -> float:
    """Feedback on ten packets, five times a second; returns when it ends."""
    for step in range(round(seconds * 5)):
        controller.path_reported(10, lost, queue, start + step / 5)
    return start + seconds


def test_loss_without_a_queue_lowers_nothing(controller: RateController) -> None:
    follow(controller, 30, lost=3)
    assert controller.bitrate == MOST


def test_short_queue_without_loss_lowers_nothing(controller: RateController) -> None:
    follow(controller, 30, queue=0.1)
    assert controller.bitrate == MOST


@pytest.mark.parametrize(("lost", "queue"), [(1, 0.08), (0, 0.3)])
def test_queue_that_overflows_or_is_long_lowers_the_rate_step_by_step(
    controller: RateController, lost: int, queue: float
) -> None:
    follow(controller, 2, lost=lost, queue=queue)
    assert 0.4 * MOST < controller.bitrate < 0.8 * MOST
    follow(controller, 30, lost=lost, queue=queue, start=2)
    assert controller.bitrate == LEAST


def test_rate_comes_back_slowly_once_the_queue_is_empty(controller: RateController) -> None:
    now = follow(controller, 30, lost=1, queue=0.1)
    now = follow(controller, 5, start=now)
    assert LEAST < controller.bitrate < 1.4 * LEAST
    follow(controller, 120, start=now)
    assert controller.bitrate == MOST


def test_reports_alone_lower_the_rate_where_loss_comes_with_longer_round_trips(controller: RateController) -> None:
    for step in range(4):
        controller.reported(0.0, 0.05, 2.5 * step)
    for step in range(4, 8):
        controller.reported(0.1, 0.05, 2.5 * step)
    assert controller.bitrate == MOST
    for step in range(8, 10):
        controller.reported(0.1, 0.2, 2.5 * step)
    assert controller.bitrate == pytest.approx(MOST * 0.75**2)


def test_longer_round_trips_without_loss_may_be_those_of_the_way_back(controller: RateController) -> None:
    for step in range(20):
        controller.reported(0.0, 0.05 if step < 4 else 0.5, 2.5 * step)
    assert controller.bitrate == MOST


@pytest.mark.parametrize(("allowed", "obeyed"), [(40_000, 40_000), (0, LEAST), (2**81, MOST)])
def test_estimate_of_the_peer_is_obeyed_for_a_while_and_within_reason(
    controller: RateController, allowed: int, obeyed: float
) -> None:
    controller.limited(allowed, 10.0)
    assert controller.bitrate == obeyed
    controller.path_reported(10, 0, 0.0, 10.1 + LIMIT_LIFETIME)
    assert controller.bitrate == MOST


# What is sent


class Encoder:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.bitrates = [0]
        self.losses = [0.0]

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def set_expected_loss(self, fraction: float) -> None:
        self.losses.append(fraction)

    def set_bitrate(self, bits_per_second: int) -> None:
        self.bitrates.append(bits_per_second)


def protected(sender: AudioSender, most: float = math.inf) -> tuple[Protector, Encoder]:
    sender.encoder = encoder = Encoder()
    return Protector(sender, 96, 24_000, [20], most), encoder


def test_encoder_follows_the_path(linear_sender: AudioSender) -> None:
    protector, encoder = protected(linear_sender)
    assert linear_sender.target_bitrate == 24_000
    protector.handle_event(BitrateLimited(44_000), 1.0)
    assert encoder.bitrates == [0, 44_000 - 27_200]
    assert protector.available_bitrate == 44_000
    for step in range(300):
        protector.handle_event(PathReported(10, 0, 0, 0.0), 2.0 + LIMIT_LIFETIME + step / 5)
    assert encoder.bitrates[-1] == 24_000


def test_loss_that_feedback_tells_of_is_answered_within_a_second(linear_sender: AudioSender) -> None:
    protector, encoder = protected(linear_sender)
    for step in range(5):
        protector.handle_event(PathReported(10, 1, 1, 0.0), step / 5)
    assert encoder.losses[-1] == pytest.approx(0.1)
    assert encoder.bitrates[-1] > 1.5 * 24_000


def test_reports_tell_nothing_new_while_there_is_feedback(linear_sender: AudioSender) -> None:
    protector, encoder = protected(linear_sender)
    for step in range(20):
        protector.handle_event(PathReported(10, 1, 1, 0.0), step / 5)
    protector.handle_event(ReportReceived(0.9, 10, 0.0, None), 4.0)
    assert encoder.losses[-1] == pytest.approx(0.1)
    protector.handle_event(ReportReceived(0.9, 10, 0.0, None), 60.0)
    assert encoder.losses[-1] == pytest.approx(0.9)


def test_packets_become_longer_where_headers_would_leave_too_little(linear_sender: AudioSender) -> None:
    made: list[float] = []
    encoder = Encoder()

    def make_encoder(packet_ms: float) -> Encoder:
        made.append(packet_ms)
        return encoder

    linear_sender.encoder = encoder
    protector = Protector(linear_sender, 96, 24_000, [20, 40, 60], make_encoder=make_encoder)
    for allowed in (40_000, 24_000, 25_500, 31_000, 44_000, 48_000):
        protector.handle_event(BitrateLimited(allowed), 1.0)
    assert made == [40, 60, 40, 20]
    assert linear_sender.packet_ms == 20
    assert min(encoder.bitrates[1:]) == round(24_000 - 68 * 8 / 0.06)


def test_samples_that_wait_go_into_packets_of_the_new_length(
    media: SimpleNamespace, linear_sender: AudioSender
) -> None:
    linear_sender.write(media.pcm_of(range(1, 1001)))
    sent = linear_sender.next_packets(0.0)
    assert linear_sender.change_packet_time(40, media.LinearEncoder())
    linear_sender.write(media.pcm_of(range(1001, 1601)))
    for tick in range(1, 14):
        sent += linear_sender.next_packets(tick * 0.02)
    packets = [parse_rtp_untrusted(data) for data in sent]
    assert [len(packet.payload) // 2 for packet in packets] == [160, 320, 320, 320, 320, 320]
    heard = media.values_of(b"".join(packet.payload for packet in packets))
    assert heard == [*range(1, 1601), *[0] * 160]
    steps = [(later.timestamp - earlier.timestamp) & 0xFFFFFFFF for earlier, later in pairwise(packets)]
    assert steps == [160, 320, 320, 320, 320]


def test_packets_that_wait_stay_as_they_are_between_the_samples_around_them(
    media: SimpleNamespace, linear_sender: AudioSender
) -> None:
    linear_sender.write(media.pcm_of([1] * 100))
    linear_sender.write_packet(EncodedPacket(b"as it came", "linear", 8000, 0, 160))
    linear_sender.write(media.pcm_of([2] * 320))
    assert linear_sender.change_packet_time(40, media.LinearEncoder())
    sent = [data for tick in range(8) for data in linear_sender.next_packets(tick * 0.02)]
    payloads = [parse_rtp_untrusted(data).payload for data in sent]
    assert [media.values_of(payloads[0])[0], payloads[1], media.values_of(payloads[2])[0]] == [1, b"as it came", 2]


def test_a_tone_under_way_keeps_its_packet_time(media: SimpleNamespace, linear_sender: AudioSender) -> None:
    linear_sender.tones.format = EventFormat(101, 8000)
    linear_sender.write_tone(Tone(5, 0.1, 0.05))
    assert not linear_sender.change_packet_time(40, media.LinearEncoder())


def test_what_the_peer_wants_at_most_holds_for_redundancy_too(
    linear_sender: AudioSender,
) -> None:
    protector, encoder = protected(linear_sender, most=26_000)
    protector.handle_event(ReportReceived(0.1, 10, 0.0, None), 1.0)
    assert encoder.bitrates[-1] == 26_000


def test_copies_are_sent_only_where_there_is_room_for_three() -> None:
    heavy = Loss(0.3, 0.3)
    assert protection(heavy, 24_000, 20, has_red=True, most=36_000).copies == 2
    assert protection(heavy, 24_000, 20, has_red=True, most=20_000) == (20_000, 0.3, 0, 1)


def test_where_packets_are_lost_in_bursts_copies_have_a_distance(linear_sender: AudioSender) -> None:
    protector, _ = protected(linear_sender)
    protector.use_red(99)
    writer = linear_sender.writer
    assert isinstance(writer, RedWriter)
    for lost, gaps, level, spacing in ((10, 10, 0, 1), (12, 3, 1, 2), (40, 40, 2, 1)):
        for step in range(8):
            protector.handle_event(PathReported(100, lost, gaps, 0.0), 100.0 * lost + step)
        assert (writer.level, writer.spacing) == (level, spacing)


@pytest.mark.parametrize(("is_generous", "copies"), [(False, (0, 1, 1, 0)), (True, (0, 1, 2, 0))], ids=["auto", "on"])
def test_frames_of_a_codec_with_one_bitrate_are_copied_until_that_fills_the_path(
    is_generous: bool, copies: tuple[int, ...], linear_sender: AudioSender
) -> None:
    protector = Protector(linear_sender, 96, None, [20], is_generous=is_generous)
    protector.use_red(99)
    writer = linear_sender.writer
    assert isinstance(writer, RedWriter)
    levels = []
    for path, (lost, queue) in enumerate(((4, 0.0), (6, 0.0), (20, 0.0), (20, 0.2))):
        for step in range(8):
            protector.handle_event(PathReported(100, lost, lost, queue), 100.0 * path + step)
        levels.append(writer.level)
    assert tuple(levels) == copies
    for step in range(600):
        protector.handle_event(PathReported(10, 2, 2, 0.0), 410.0 + step / 5)
    assert writer.level == copies[2]


# Levels


@pytest.mark.parametrize(
    ("values", "level"),
    [([0] * 320, SILENCE), ([32767, -32768] * 160, 0), ([3277] * 320, 20), ([1, -1] * 160, 90), ([328] * 960, 40)],
)
def test_level_is_that_of_the_root_mean_square(media: SimpleNamespace, values: list[int], level: int) -> None:
    assert audio_level(media.pcm_of(values)) == level


def test_reports_without_a_delay_change_nothing(controller: RateController) -> None:
    end = follow(controller, 2, lost=1, queue=0.3)
    before = controller.bitrate
    assert before < MOST
    controller.path_reported(10, 10, None, end)
    controller.reported(1.0, None, end)
    assert controller.bitrate == before
