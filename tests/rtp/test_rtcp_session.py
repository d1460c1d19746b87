import random
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from glottis import Malformed
from glottis.rtp.events import ReportReceived, SourceLeft
from glottis.rtp.feedback import Feedback
from glottis.rtp.payload import PlainWriter
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.retransmission import SentPackets
from glottis.rtp.rtcp_session import MAX_EVENTS, RtcpSession
from glottis.rtp.sender import AudioSender
from glottis.wire.rtcp import (
    ExtendedReport,
    Goodbye,
    MaximumBitrate,
    Nack,
    ReceiverReport,
    ReferenceDelay,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_rtcp,
    parse_rtcp_untrusted,
)

LOCAL, REMOTE = 1, 7
EPOCH_OFFSET = 1_750_000_000.0


@pytest.fixture
def sender(media: SimpleNamespace) -> AudioSender:
    return AudioSender(
        ssrc=LOCAL,
        writer=PlainWriter(96),
        codec=media.linear_codec(),
        encoder=media.LinearEncoder(),
        sample_rate=8000,
        rng=random.Random(1),
    )


MakeRtcp = Callable[..., RtcpSession]


@pytest.fixture
def make_rtcp() -> MakeRtcp:
    def make(**tracks: Any) -> RtcpSession:
        seed = tracks.pop("seed", 1)
        clock = tracks.pop("clock", lambda: EPOCH_OFFSET)
        session = RtcpSession(ssrc=LOCAL, cname="name@host", rng=random.Random(seed), wallclock_offset=clock, **tracks)
        session.start(0.0)
        return session

    return make


def due_report(session: RtcpSession) -> tuple[float, list[Any]]:
    now = session.next_timeout()
    assert now is not None
    session.handle_timeout(now)
    [datagram] = session.datagrams_to_send()
    return now, parse_rtcp_untrusted(datagram)


def test_reports_begin_early_and_then_come_every_few_seconds_at_random(make_rtcp: MakeRtcp) -> None:
    session = make_rtcp()
    times = [due_report(session)[0] for _ in range(200)]
    assert 0.25 <= times[0] <= 0.75
    spacing = [second - first for first, second in pairwise(times)]
    assert 1.25 <= min(spacing) < 1.4
    assert 3.6 < max(spacing) <= 3.75
    assert sum(spacing) / len(spacing) == pytest.approx(2.5, abs=0.15)


def test_nothing_is_reported_before_its_time(make_rtcp: MakeRtcp) -> None:
    session = make_rtcp()
    session.handle_timeout(0.2)
    assert session.datagrams_to_send() == []


def test_who_has_sent_and_received_nothing_sends_an_empty_receiver_report(make_rtcp: MakeRtcp) -> None:
    _, packets = due_report(make_rtcp())
    assert packets == [ReceiverReport(LOCAL), SourceDescription(((LOCAL, "name@host"),))]


def test_sender_report_counts_and_ties_rtp_time_to_the_wall_clock(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    sender.write(bytes(320 * 10))
    first_timestamp = sender.rtp_timestamp_at(0.0)
    for index in range(10):
        sender.next_packets(0.1 + 0.02 * index)
    now, [report, _] = due_report(session)
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packet_count, report.octet_count) == (LOCAL, 10, 3200)
    assert report.ntp_time / 2**32 - 2_208_988_800 == pytest.approx(now + EPOCH_OFFSET, abs=1e-4)
    elapsed = (report.rtp_timestamp - first_timestamp) & 0xFFFFFFFF
    assert elapsed / 8000 == pytest.approx(now - 0.1, abs=0.001)


def test_sender_that_falls_silent_goes_back_to_receiver_reports(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    sender.write(bytes(320))
    sender.next_packets(0.1)
    kinds = [type(due_report(session)[1][0]) for _ in range(5)]
    assert kinds == [SenderReport, SenderReport, ReceiverReport, ReceiverReport, ReceiverReport]


def test_report_block_tells_loss_and_jitter_of_the_source(
    make_rtcp: MakeRtcp, receiver: AudioReceiver, media: SimpleNamespace
) -> None:
    session = make_rtcp(receiver=receiver)
    for index, packet in enumerate(media.linear_stream(20)):
        if index not in (5, 6, 7, 8):
            receiver.handle_rtp(packet, 0.02 * index)
    _, [report, _] = due_report(session)
    assert report.report_blocks == (ReportBlock(REMOTE, 51 / 256, 4, 119, 0, 0, 0),)
    _, [report, _] = due_report(session)
    assert report.report_blocks[0].fraction_lost == 0.0


def test_delay_since_the_last_sender_report_is_told(
    make_rtcp: MakeRtcp, receiver: AudioReceiver, media: SimpleNamespace
) -> None:
    session = make_rtcp(receiver=receiver)
    receiver.handle_rtp(media.linear_stream(1)[0], 0.0)
    session.handle_datagram(build_rtcp([SenderReport(REMOTE, 0x1111_2222_3333_4444, 5, 1, 160)]), 0.125)
    now, [report, _] = due_report(session)
    [block] = report.report_blocks
    assert block.last_sender_report == 0x2222_3333
    assert block.delay_since_last_sender_report / 65536 == pytest.approx(now - 0.125, abs=1e-4)


def test_round_trip_time_is_measured_from_our_report_coming_back(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    sender.write(bytes(320))
    sender.next_packets(0.1)
    now, [report, _] = due_report(session)
    middle = report.ntp_time >> 16 & 0xFFFFFFFF
    block = ReportBlock(LOCAL, 0.25, 12, 100, 80, middle, int(0.5 * 65536))
    session.handle_datagram(build_rtcp([ReceiverReport(REMOTE, (block,))]), now + 0.58)
    assert session.round_trip_time == pytest.approx(0.08, abs=1e-3)
    assert session.next_event() == ReportReceived(0.25, 12, 0.01, session.round_trip_time)
    assert session.next_event() is None


@pytest.mark.parametrize("step", [-3600.0, -0.5, 0.5, 86400.0])
def test_clock_that_is_set_in_a_call_is_followed_and_disturbs_no_measurement(
    make_rtcp: MakeRtcp, sender: AudioSender, step: float
) -> None:
    offset = EPOCH_OFFSET
    session = make_rtcp(sender=sender, clock=lambda: offset)
    sender.write(bytes(320 * 500))
    for set_by in (0.0, step, 0.0):
        offset += set_by
        now = session.next_timeout() or 0.0
        sender.next_packets(now)
        now, [report, _] = due_report(session)
        assert report.ntp_time / 2**32 - 2_208_988_800 == pytest.approx(now + offset, abs=1e-3)
        offset += step  # while the answer is under way
        block = ReportBlock(LOCAL, 0.0, 0, 100, 0, report.ntp_time >> 16 & 0xFFFFFFFF, 65536)
        session.handle_datagram(build_rtcp([ReceiverReport(REMOTE, (block,))]), now + 1.08)
        assert session.round_trip_time == pytest.approx(0.08, abs=1e-3)
    assert session.round_trips.measurements == 3


def test_report_that_was_never_sent_gives_no_round_trip_time(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    block = ReportBlock(LOCAL, 0.0, 0, 100, 0, 12345, 0)
    session.handle_datagram(build_rtcp([ReceiverReport(REMOTE, (block,))]), 1.0)
    assert session.round_trip_time is None


def test_the_last_sixteen_reports_are_remembered(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    sender.write(bytes(320 * 50))
    sent = []
    for _ in range(17):
        sender.next_packets(session.next_timeout() or 0.0)
        _, [report, _] = due_report(session)
        sent.append(report.ntp_time >> 16 & 0xFFFFFFFF)
    measured = []
    for middle in sent[:2]:
        block = ReportBlock(LOCAL, 0.0, 0, 100, 0, middle, 0)
        session.handle_datagram(build_rtcp([ReceiverReport(REMOTE, (block,))]), session.next_timeout() or 0.0)
        measured.append(session.round_trips.measurements)
    assert measured == [0, 1]


def test_round_trip_time_that_cannot_be_is_not_believed(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    sender.write(bytes(320))
    sender.next_packets(0.1)
    now, [report, _] = due_report(session)
    block = ReportBlock(LOCAL, 0.0, 0, 100, 0, report.ntp_time >> 16 & 0xFFFFFFFF, 65536)
    session.handle_datagram(build_rtcp([ReceiverReport(REMOTE, (block,))]), now + 0.5)
    assert session.round_trip_time is None
    assert session.next_event() == ReportReceived(0.0, 0, 0.0, None)


def test_reports_about_and_from_unknown_sources_are_ignored(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender, receiver=None)
    session.handle_datagram(build_rtcp([SenderReport(99, 1 << 40, 5, 1, 160, (ReportBlock(98, 1.0, 1, 1, 1),))]), 0.1)
    session.handle_datagram(build_rtcp([Goodbye((97,))]), 0.1)
    assert session.next_event() is None
    assert session.remote_report is None


def test_goodbye_of_the_source_is_told_and_its_track_goes_on(
    make_rtcp: MakeRtcp, receiver: AudioReceiver, media: SimpleNamespace
) -> None:
    session = make_rtcp(receiver=receiver)
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(10)):
        clockwork.send(packet, 0.02 * index)
    clockwork.run(0.1)
    session.handle_datagram(build_rtcp([Goodbye((REMOTE,), "on hold")]), 0.1)
    clockwork.run(0.14)
    assert session.next_event() == SourceLeft(REMOTE, "on hold")
    assert clockwork.heard() == list(range(1600))


def test_goodbye_of_ours_follows_a_report_and_a_name_and_is_the_last(make_rtcp: MakeRtcp) -> None:
    session = make_rtcp()
    session.close(0.1, "done")
    session.close(0.2)
    [datagram] = session.datagrams_to_send()
    assert parse_rtcp_untrusted(datagram) == [
        ReceiverReport(LOCAL),
        SourceDescription(((LOCAL, "name@host"),)),
        Goodbye((LOCAL,), "done"),
    ]
    assert session.next_timeout() is None
    session.handle_timeout(100.0)
    assert session.datagrams_to_send() == []


def test_events_that_nobody_fetches_are_bounded(make_rtcp: MakeRtcp, sender: AudioSender) -> None:
    session = make_rtcp(sender=sender)
    for loss in range(100):
        report = ReceiverReport(REMOTE, (ReportBlock(LOCAL, 0.0, loss, 1, 0),))
        session.handle_datagram(build_rtcp([report]), 0.1)
    events = [session.next_event() for _ in range(MAX_EVENTS)]
    assert [event.packets_lost for event in events if isinstance(event, ReportReceived)] == list(range(84, 100))
    assert session.next_event() is None


def test_fuzz_handle_datagram(
    make_rtcp: MakeRtcp, sender: AudioSender, receiver: AudioReceiver, media: SimpleNamespace
) -> None:
    """RtcpSession.handle_datagram raises nothing but Malformed, and what it reports afterwards can be read."""
    session, rng = make_rtcp(sender=sender, receiver=receiver), random.Random(8)
    receiver.handle_rtp(media.linear_stream(1)[0], 0.0)
    block = ReportBlock(LOCAL, 0.5, -5, 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    session.feedback, session.sent_packets = Feedback(True, True, True, True), SentPackets(0.0)
    reports = build_rtcp([SenderReport(REMOTE, 2**64 - 1, 0, 0, 0, (block,)), Goodbye((REMOTE,), "reason")])
    nack, arrivals = Nack(REMOTE, LOCAL, ((1, 0xFFFF),)), TransportFeedback(REMOTE, LOCAL, 65530, 1, -5, (1, None, 900))
    extended = ExtendedReport(REMOTE, 2**64 - 1, (ReferenceDelay(LOCAL, 1, 2),))
    feedback = build_rtcp([nack, arrivals, MaximumBitrate(REMOTE, 2**60, (LOCAL,)), extended])
    for _ in range(3000):
        data = bytearray(rng.choice((reports, feedback)))
        for _ in range(rng.randint(0, 3)):
            data[rng.randrange(len(data))] = rng.getrandbits(8)
        with suppress(Malformed):
            session.handle_datagram(bytes(data), rng.uniform(0.0, 1e6))
    session.handle_timeout(1e6)
    [datagram] = session.datagrams_to_send()
    assert len(parse_rtcp_untrusted(datagram)) in (2, 3)
