"""Feedback of one session to another: lost packets, arrivals, round trips, extensions, and what is absurd of it."""

import random
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from glottis.rtp import AudioReceiver, AudioSender, Feedback, FixedDelay, PlainReader, PlainWriter, RtpSession
from glottis.rtp.events import BitrateLimited, PathReported
from glottis.rtp.retransmission import HISTORY, RESENT_BURST, RESENT_PER_SECOND
from glottis.wire.rtcp import (
    ExtendedReport,
    Goodbye,
    MaximumBitrate,
    Nack,
    ReceiverReport,
    RtcpPacket,
    TransportFeedback,
    build_rtcp,
    is_rtcp,
    nack_entries,
    parse_rtcp_untrusted,
)
from glottis.wire.rtp import build_rtp, parse_rtp_untrusted
from glottis.wire.rtp_extensions import ONE_BYTE_PROFILE, TWO_BYTE_PROFILE, ExtensionIds, build_extensions

ALL = Feedback(nack=True, transport=True, receiver_rtt=True, reduced_size=True)
IDS = ExtensionIds(mid=4, audio_level=1, absolute_send_time=2, transport_sequence=3)
OURS, THEIRS = 1, 2


class Unprotected:
    """Packets as they are."""

    retired_sources = 0

    def protect(self, packet: bytes) -> bytes:
        return packet

    def unprotect_untrusted(self, data: bytes, now: float) -> bytes:
        return data

    protect_rtcp = protect
    unprotect_rtcp_untrusted = unprotect_untrusted


def make_session(media: SimpleNamespace, ssrc: int, feedback: Feedback = ALL, delay: float = 0.08) -> RtpSession:
    codec = media.linear_codec()
    session = RtpSession(
        ssrc=ssrc,
        cname=f"end {ssrc}",
        rng=random.Random(ssrc),
        wallclock_offset=lambda: 1e9 * ssrc,
        receiver=AudioReceiver({96: PlainReader(codec)}, sample_rate=8000, delay=FixedDelay(delay)),
        sender=AudioSender(
            ssrc=ssrc,
            writer=PlainWriter(96),
            codec=codec,
            encoder=media.LinearEncoder(),
            sample_rate=8000,
            rng=random.Random(ssrc),
        ),
    )
    session.set_feedback(feedback, IDS, "0", 0.0)
    session.start(Unprotected(), 0.0)
    return session


class Pair:
    """Two sessions ten milliseconds apart; ``loses`` says which packet of theirs does not come the first time."""

    def __init__(self, media: SimpleNamespace, **settings: Any) -> None:
        self.media = media
        self.ours, self.theirs = (make_session(media, ssrc, **settings) for ssrc in (OURS, THEIRS))
        self.now = 0.0
        self.lost: set[int] = set()
        self.heard: list[int] = []
        self.sent: dict[RtpSession, list[bytes]] = {self.ours: [], self.theirs: []}
        self.in_flight: list[tuple[float, RtpSession, bytes]] = []
        self._tick = 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 200)):
            self._tick += 1
            self.now = self._tick / 200
            due = [entry for entry in self.in_flight if entry[0] <= self.now]
            self.in_flight = [entry for entry in self.in_flight if entry[0] > self.now]
            for _, session, data in due:
                session.handle_datagram(data, self.now)
            for session, peer in ((self.ours, self.theirs), (self.theirs, self.ours)):
                if (timeout := session.next_timeout()) is not None and timeout <= self.now:
                    session.handle_timeout(self.now)
                packets = session.packets_to_send(self.now) if self._tick % 4 == 0 else []
                self._carry(session, peer, packets + session.datagrams_to_send())
            if self._tick % 4 == 0 and self.ours.receiver is not None:
                frame = self.ours.receiver.next_frame(self.now)
                self.heard += self.media.values_of(frame.pcm) if frame is not None else []

    def _carry(self, session: RtpSession, peer: RtpSession, packets: list[bytes]) -> None:
        for data in packets:
            self.sent[session].append(data)
            number = len(self.sent[session])
            if not (session is self.theirs and number in self.lost and not is_rtcp(data)):
                self.in_flight.append((self.now + 0.01, peer, data))


@pytest.fixture
def pair(media: SimpleNamespace) -> Pair:
    return Pair(media)


def speak(pair: Pair, seconds: float) -> None:
    for session in (pair.ours, pair.theirs):
        assert session.sender is not None
        session.sender.write(pair.media.pcm_of(1 + index % 30_000 for index in range(round(8000 * seconds))))


def statistics(session: RtpSession, now: float) -> dict[str, dict[str, Any]]:
    return session.statistics(now).to_json()


def test_lost_packet_is_asked_for_and_heard_in_its_place(pair: Pair) -> None:
    speak(pair, 5)
    pair.run(3)  # the round trip is known
    first = len(pair.sent[pair.theirs])
    pair.lost = set(range(first + 1, first + 60, 5))
    pair.run(2.2)
    assert pair.heard[:38_000] == [1 + index % 30_000 for index in range(38_000)]
    ours, theirs = statistics(pair.ours, pair.now), statistics(pair.theirs, pair.now)
    assert ours["inbound-rtp"]["nackCount"] >= 8
    assert theirs["outbound-rtp"]["retransmittedPacketsSent"] >= 8
    assert theirs["outbound-rtp"]["nackCount"] == ours["inbound-rtp"]["nackCount"]
    assert ours["inbound-rtp"]["packetsLost"] == 0
    assert ours["inbound-rtp"]["jitter"] < 0.005


def test_outage_is_not_asked_for(pair: Pair) -> None:
    speak(pair, 5)
    pair.run(3)
    first = len(pair.sent[pair.theirs])
    pair.lost = set(range(first + 1, first + 30))
    pair.run(2)
    assert statistics(pair.ours, pair.now)["inbound-rtp"]["nackCount"] == 0


def test_nothing_is_asked_for_that_could_not_come_in_time(media: SimpleNamespace) -> None:
    pair = Pair(media, delay=0.035)
    speak(pair, 5)
    pair.lost = set(range(150, 200, 5))
    pair.run(5)
    assert statistics(pair.ours, pair.now)["inbound-rtp"]["nackCount"] == 0


def test_who_has_not_agreed_to_it_is_not_asked_and_not_answered(media: SimpleNamespace) -> None:
    pair = Pair(media, feedback=Feedback(reduced_size=True))
    speak(pair, 5)
    pair.lost = set(range(150, 200, 5))
    pair.run(5)
    assert all(packet[1] in (200, 201) for packet in pair.sent[pair.ours] if is_rtcp(packet))
    assert "nackCount" not in statistics(pair.ours, pair.now)["inbound-rtp"]
    pair.ours.handle_datagram(build_rtcp([Nack(THEIRS, OURS, nack_entries(range(100)))]), pair.now)
    assert pair.ours.datagrams_to_send() == []


def sent_numbers(pair: Pair) -> list[int]:
    return [parse_rtp_untrusted(data).sequence_number for data in pair.sent[pair.ours] if not is_rtcp(data)]


def test_flood_of_requests_gets_no_more_than_the_stream_has(pair: Pair) -> None:
    speak(pair, 3)
    pair.run(3)
    nack = build_rtcp([Nack(THEIRS, OURS, nack_entries(sent_numbers(pair)[-20:]))])
    answered = 0
    for step in range(3000):
        pair.ours.handle_datagram(nack, pair.now + step / 1000)
        answered += len(pair.ours.datagrams_to_send())
    assert 100 < answered <= RESENT_BURST + 3 * RESENT_PER_SECOND
    counters = statistics(pair.ours, pair.now)["counters"]
    assert counters["nacksRefused"] > 2000


def test_requests_for_what_was_never_sent_are_counted(pair: Pair) -> None:
    speak(pair, 3)
    pair.run(3)
    numbers = sent_numbers(pair)
    unsent = [(numbers[-1] + 1) & 0xFFFF, numbers[-HISTORY - 1]]
    pair.ours.handle_datagram(build_rtcp([Nack(THEIRS, OURS, nack_entries(unsent))]), pair.now)
    pair.ours.handle_datagram(build_rtcp([Nack(THEIRS, 99, nack_entries(numbers[-3:]))]), pair.now)
    assert pair.ours.datagrams_to_send() == []
    assert statistics(pair.ours, pair.now)["counters"]["feedbackUnknown"] == 2


def test_what_is_sent_again_is_the_same_packet(pair: Pair) -> None:
    speak(pair, 1)
    pair.run(1)
    last = [data for data in pair.sent[pair.ours] if not is_rtcp(data)][-1]
    pair.ours.handle_datagram(
        build_rtcp([Nack(THEIRS, OURS, nack_entries([parse_rtp_untrusted(last).sequence_number]))]), pair.now
    )
    assert pair.ours.datagrams_to_send() == [last]


def test_packets_carry_mid_until_it_is_known_and_level_and_transport_sequence_always(pair: Pair) -> None:
    speak(pair, 6)
    pair.run(6)
    read = [pair.media.extensions_of(data) for data in pair.sent[pair.ours] if not is_rtcp(data)]
    assert all(set(elements) >= {1, 2, 3} for elements in read)
    assert read[0][4] == b"0"
    assert 4 not in read[-1]
    assert [int.from_bytes(elements[3]) for elements in read] == list(range(len(read)))
    times = [int.from_bytes(elements[2]) / (1 << 18) for elements in read]  # seconds, by 6 bits and a fraction of 18
    assert [after - before for before, after in pairwise(times)] == pytest.approx([0.02] * (len(read) - 1), abs=1e-4)
    assert statistics(pair.theirs, pair.now)["inbound-rtp"]["audioLevel"] == pytest.approx(0.3, abs=0.3)


@pytest.mark.parametrize(("mid_id", "profile"), [(14, ONE_BYTE_PROFILE), (16, TWO_BYTE_PROFILE)])
def test_a_stream_does_not_mix_the_two_forms_of_extensions(pair: Pair, mid_id: int, profile: int) -> None:
    """Also when the one identifier that needs the longer form is sent no more."""
    for session in (pair.ours, pair.theirs):
        session.set_feedback(ALL, IDS._replace(mid=mid_id), "0", 0.0)
    speak(pair, 6)
    pair.run(6)
    packets = [parse_rtp_untrusted(data) for data in pair.sent[pair.ours] if not is_rtcp(data)]
    assert {int.from_bytes(packet.extension[:2]) for packet in packets} == {profile}
    read = [pair.media.extensions_of(data) for data in pair.sent[pair.ours] if not is_rtcp(data)]
    assert (read[0][mid_id], mid_id in read[-1]) == (b"0", False)
    assert statistics(pair.theirs, pair.now)["inbound-rtp"]["audioLevel"] == pytest.approx(0.3, abs=0.3)


def test_elements_of_wrong_lengths_and_of_others_are_skipped(pair: Pair) -> None:
    for number, elements in enumerate(([(1, b"\x85")], [(3, b"abc"), (9, b"x")], [(1, b"")])):
        extension = build_extensions(elements)
        packet = build_rtp(96, number, 160 * number, THEIRS, bytes(320), False, extension)
        pair.ours.handle_datagram(packet, number / 50)
    told = statistics(pair.ours, 0.1)
    assert told["inbound-rtp"]["packetsReceived"] == 3
    assert told["inbound-rtp"]["audioLevel"] == pytest.approx(10 ** (-5 / 20))
    assert pair.ours.packets_malformed == 0


def events_of(session: RtpSession) -> list[Any]:
    return list(iter(session.next_event, None))


def test_arrivals_are_told_five_times_a_second_and_loss_and_queue_follow_from_them(media: SimpleNamespace) -> None:
    pair = Pair(media, feedback=Feedback(transport=True, reduced_size=True))
    speak(pair, 4)
    reports: list[PathReported] = []
    pair.lost = set(range(20, 60, 2))
    for _ in range(40):
        pair.run(0.1)
        reports += [event for event in events_of(pair.theirs) if isinstance(event, PathReported)]
    assert 15 <= len(reports) <= 21
    assert sum(report.packets for report in reports) >= 185
    assert 12 <= sum(report.lost for report in reports) <= 20
    assert all(report.queueing_delay == pytest.approx(0.0, abs=0.01) for report in reports)


def test_receiver_that_sends_nothing_knows_the_round_trip(media: SimpleNamespace) -> None:
    pair = Pair(media)
    pair.ours.set_tracks(receiver=pair.ours.receiver, sender=None)
    speak_theirs = pair.theirs.sender
    assert speak_theirs is not None
    speak_theirs.write(bytes(16_000 * 12))
    pair.run(12)
    remote = statistics(pair.ours, pair.now)["remote-outbound-rtp"]
    assert remote["roundTripTime"] == pytest.approx(0.02, abs=0.003)
    assert remote["reportsSent"] >= 2
    assert remote["packetsSent"] > 400


def test_feedback_follows_a_report_where_reduced_size_was_not_agreed_on(media: SimpleNamespace) -> None:
    pair = Pair(media, feedback=ALL._replace(reduced_size=False))
    speak(pair, 2)
    pair.run(2)
    compounds = [parse_rtcp_untrusted(data) for data in pair.sent[pair.ours] if is_rtcp(data)]
    assert sum(isinstance(packets[-1], TransportFeedback) for packets in compounds) >= 5
    assert all(not isinstance(packets[0], TransportFeedback) for packets in compounds)


def test_new_source_after_a_goodbye_is_heard_at_once(pair: Pair, media: SimpleNamespace) -> None:
    for index, packet in enumerate(media.linear_stream(10, ssrc=50)):
        pair.ours.handle_datagram(packet, 0.02 * index)
    pair.ours.handle_datagram(build_rtcp([Goodbye((50,))]), 0.2)
    for index, packet in enumerate(media.linear_stream(3, ssrc=51)):
        pair.ours.handle_datagram(packet, 0.201 + index / 1000)
    assert statistics(pair.ours, 0.3)["inbound-rtp"]["ssrc"] == 51


ABSURD: dict[str, RtcpPacket] = {
    "a bitrate of nothing": MaximumBitrate(THEIRS, 0, (OURS,)),
    "a bitrate beyond all": MaximumBitrate(THEIRS, (2**18 - 1) << 63, (OURS,)),
    "feedback for packets never sent": TransportFeedback(THEIRS, OURS, 40_000, 9, 5, (1, None, 2)),
    "feedback of another age": TransportFeedback(THEIRS, OURS, 0, 9, -(2**23), (1, None, 2)),
    "requests for everything": Nack(THEIRS, OURS, tuple((number, 0xFFFF) for number in range(0, 65536, 4096))),
    "a reference time": ExtendedReport(THEIRS, 2**64 - 1),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_feedback_ends_nothing(name: str, pair: Pair) -> None:
    speak(pair, 6)
    pair.run(1)
    for _ in range(20):
        pair.ours.handle_datagram(build_rtcp([ReceiverReport(THEIRS), ABSURD[name]]), pair.now)
    pair.run(1)
    assert pair.heard[:12_000] == [1 + index % 30_000 for index in range(12_000)]
    assert pair.ours.packets_malformed == 0


def test_bitrate_that_the_peer_allows_is_told(pair: Pair) -> None:
    pair.ours.handle_datagram(build_rtcp([MaximumBitrate(THEIRS, 50_000, (OURS,))]), 0.1)
    assert events_of(pair.ours) == [BitrateLimited(50_000)]


def test_numbers_that_jump_at_random_are_told_of_in_bounded_packets(pair: Pair) -> None:
    rng = random.Random(5)
    for index in range(2000):
        extension = build_extensions([(3, rng.randbytes(2))])
        pair.ours.handle_datagram(build_rtp(96, index, 160 * index, THEIRS, bytes(320), False, extension), index / 100)
        for data in pair.ours.packets_to_send(index / 100):
            assert len(data) < 200
            parse_rtcp_untrusted(data)


def test_packets_that_are_relayed_keep_the_level_that_they_came_with(pair: Pair) -> None:
    assert pair.ours.receiver is not None
    assert pair.ours.sender is not None
    for number, elements in enumerate(([(1, b"\x85")], [(9, b"x")])):
        packet = build_rtp(96, number, 160 * number, THEIRS, bytes(320), False, build_extensions(elements))
        pair.ours.handle_datagram(packet, number / 50)
    for tick, level in ((5, 5), (6, None)):
        (relayed,) = pair.ours.receiver.next_packets(tick / 50)
        assert relayed.audio_level == level
        pair.ours.sender.write_packet(relayed)
        (sent,) = pair.ours.packets_to_send(tick / 50)
        assert pair.media.extensions_of(sent).get(1) == (None if level is None else b"\x85")
