import random
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from glottis.contracts.statistics import Counters, Statistics
from glottis.rtp import (
    MAX_SSRCS,
    AudioReceiver,
    AudioSender,
    PlainReader,
    PlainWriter,
    ReportReceived,
    RtpSession,
    SourceLeft,
    SourceRetired,
    SrtpSession,
)
from glottis.rtp.session import MAX_EARLY_PACKETS
from glottis.testing.impairments import Impairments
from glottis.wire.rtcp import ReceiverReport, build_rtcp
from glottis.wire.srtp_keys import AEAD_AES_128_GCM, SrtpKeys
from support.seeds import seeds

KEYS = (b"k" * 16, b"s" * 12, b"K" * 16, b"S" * 12)


class Call:
    """Two sessions and a clock; every datagram passes the impairments."""

    def __init__(self, media: SimpleNamespace, impairments: Impairments, seed: int) -> None:
        self.seed = seed
        self.media, self.impairments, self.rng = media, impairments, random.Random(2)
        self.ours, self.theirs = self.make_session(1), self.make_session(2)
        self.now, self.ticks = 0.0, 0
        self.in_flight: list[tuple[float, RtpSession, bytes]] = []
        self.ours_heard: list[int] = []

    def make_session(self, ssrc: int) -> RtpSession:
        codec = self.media.linear_codec()
        return RtpSession(
            ssrc=ssrc,
            cname=f"end {ssrc}",
            rng=random.Random(2 * self.seed + ssrc),
            wallclock_offset=lambda: 1e9 * ssrc,
            receiver=AudioReceiver({96: PlainReader(codec)}, sample_rate=8000),
            sender=AudioSender(
                ssrc=ssrc,
                writer=PlainWriter(96),
                codec=codec,
                encoder=self.media.LinearEncoder(),
                sample_rate=8000,
                rng=random.Random(ssrc),
            ),
        )

    def start(self) -> None:
        self.start_ours()
        self.start_theirs()

    def start_ours(self) -> None:
        self.ours.start(SrtpSession(SrtpKeys(AEAD_AES_128_GCM, *KEYS)), self.now)

    def start_theirs(self) -> None:
        self.theirs.start(SrtpSession(SrtpKeys(AEAD_AES_128_GCM, *KEYS[2:], *KEYS[:2])), self.now)

    def send(self, to: RtpSession, datagrams: list[bytes]) -> None:
        for data in datagrams:
            self.in_flight += [(at, to, data) for at in self.impairments.arrivals(self.now, self.rng)]

    def run(self, seconds: float, *, listening: bool = True) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now = 0.02 * self.ticks
            self.ticks += 1
            for session, peer in ((self.ours, self.theirs), (self.theirs, self.ours)):
                timeout = session.next_timeout()
                if timeout is not None and timeout <= self.now:
                    session.handle_timeout(self.now)
                self.send(peer, session.datagrams_to_send() + session.packets_to_send(self.now))
            due = [entry for entry in self.in_flight if entry[0] <= self.now]
            self.in_flight = [entry for entry in self.in_flight if entry[0] > self.now]
            for at, session, data in sorted(due, key=lambda entry: entry[0]):
                session.handle_datagram(data, at)
            if listening and self.ours.receiver is not None:
                frame = self.ours.receiver.next_frame(self.now)
                self.ours_heard += self.media.values_of(frame.pcm) if frame is not None else []


@pytest.fixture
def make_call(media: SimpleNamespace) -> Any:
    return lambda seed=0, **impairments: Call(media, Impairments(**impairments), seed)


class Unheard(NamedTuple):
    malformed: int
    replayed: int
    early: int


def counters(session: RtpSession) -> Unheard:
    return Unheard(session.packets_malformed, session.packets_replayed, session.packets_before_start)


def test_audio_crosses_the_call_sample_for_sample(make_call: Any, media: SimpleNamespace) -> None:
    call = make_call(delay=0.03)
    call.start()
    call.theirs.sender.write(media.pcm_of(range(1, 8001)))
    call.run(1.2)
    assert call.ours_heard[:8000] == list(range(1, 8001))
    assert counters(call.ours) == counters(call.theirs) == (0, 0, 0)


def test_copies_on_the_network_are_not_heard(make_call: Any, media: SimpleNamespace) -> None:
    call = make_call(delay=0.03, jitter=0.01, duplication=0.3)
    call.start()
    call.theirs.sender.write(media.pcm_of(range(1, 8001)))
    call.run(1.2)
    assert call.ours_heard[:8000] == list(range(1, 8001))
    assert call.ours.packets_replayed > 5
    assert call.ours.packets_malformed == 0


def test_before_there_are_keys_nothing_goes_out(make_call: Any) -> None:
    call = make_call()
    call.ours.sender.write(bytes(3200))
    call.run(0.2)
    assert call.ours.next_timeout() is None
    assert call.ours.sender.queued == pytest.approx(0.2)
    assert call.in_flight == []


def test_first_words_that_overtake_the_handshake_are_heard_and_their_delay_is_worked_off(
    make_call: Any, media: SimpleNamespace
) -> None:
    call = make_call(delay=0.03)
    call.start_theirs()
    call.theirs.sender.write(media.pcm_of(range(1, 16001)))
    call.run(0.2, listening=False)
    call.start_ours()
    call.run(1.8)
    assert call.ours_heard[:800] == list(range(1, 801))
    skipped = set(range(1, call.ours_heard[-1])) - set(call.ours_heard)
    assert len(skipped) <= 0.2 * 8000
    assert call.ours_heard[-1] == pytest.approx(8000 * (call.now - 0.03 - 0.04), abs=8000 * 0.021)
    assert call.ours.packets_before_start == 0


def test_early_packets_are_few_and_not_kept_for_long(make_call: Any) -> None:
    call = make_call()
    for _ in range(MAX_EARLY_PACKETS + 10):
        call.ours.handle_datagram(bytes([0x80, 96]) + bytes(60), call.now)
    assert counters(call.ours) == (0, 0, 10)
    call.start_ours()
    assert counters(call.ours) == (MAX_EARLY_PACKETS, 0, 10)
    call.theirs.handle_datagram(bytes([0x80, 96]) + bytes(60), call.now)
    call.now += 0.6
    call.start_theirs()
    assert counters(call.theirs) == (0, 0, 1)


def test_datagrams_that_are_not_authentic_change_nothing_but_a_counter(make_call: Any) -> None:
    call = make_call()
    call.start()
    plain_rtcp = build_rtcp([ReceiverReport(2)])
    for data in (b"", b"\x80", b"\x80\x60" + bytes(60), plain_rtcp + bytes(30), b"\x80" * 3000):
        call.ours.handle_datagram(data, 0.0)
    assert call.ours.packets_malformed == 5
    assert call.ours.receiver.next_frame(0.1) is None
    assert call.ours.statistics(0.1) == Statistics(counters=Counters(packets_malformed=5))


def test_statistics_have_the_names_and_units_of_webrtc_stats(make_call: Any, media: SimpleNamespace) -> None:
    call = make_call(delay=0.04, loss=0.1)
    call.start()
    for session in (call.ours, call.theirs):
        session.sender.write(bytes([1]) * 16000 * 12)
    call.run(12)
    statistics = call.ours.statistics(call.now).to_json()
    assert set(statistics) == {
        "inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "remote-outbound-rtp", "counters",
    }  # fmt: skip
    assert set(statistics["counters"]) == {"id", "type", "timestamp", "recoveryAttempts"}
    inbound, remote = statistics["inbound-rtp"], statistics["remote-inbound-rtp"]
    assert inbound["packetsReceived"] + inbound["packetsLost"] == pytest.approx(600, abs=5)
    assert inbound["bytesReceived"] == 320 * inbound["packetsReceived"]
    assert inbound["concealedSamples"] == pytest.approx(160 * inbound["packetsLost"], abs=160)
    assert inbound["jitterBufferDelay"] / inbound["jitterBufferEmittedCount"] == pytest.approx(0.04, abs=0.021)
    assert inbound["jitterBufferTargetDelay"] / inbound["jitterBufferEmittedCount"] == pytest.approx(0.04)
    assert statistics["outbound-rtp"]["packetsSent"] == 600
    assert 0 <= statistics["outbound-rtp"]["totalPacketSendLateness"] < 1
    assert remote["roundTripTime"] == pytest.approx(0.08, abs=0.021)
    assert 0 < remote["fractionLost"] < 0.3
    assert statistics["remote-outbound-rtp"]["packetsSent"] == pytest.approx(550, abs=100)
    assert statistics["remote-outbound-rtp"]["remoteTimestamp"] == pytest.approx((call.now + 2e9) * 1000, abs=4000)
    assert inbound["timestamp"] == pytest.approx((call.now + 1e9) * 1000)


@pytest.mark.parametrize("seed", seeds(20))
def test_round_trip_time_is_known_within_two_seconds(make_call: Any, seed: int) -> None:
    call = make_call(seed, delay=0.04)
    call.start()
    for session in (call.ours, call.theirs):
        session.sender.write(bytes(16000 * 4))
    call.run(2)
    for session in (call.ours, call.theirs):
        assert session.statistics(call.now).remote_inbound_rtp.round_trip_time == pytest.approx(0.08, abs=0.041)


def test_owner_learns_of_the_peers_losses_and_of_its_goodbye(make_call: Any) -> None:
    call = make_call(loss=0.2)
    call.start()
    call.ours.sender.write(bytes(16000 * 8))
    call.theirs.sender.write(bytes(16000 * 2))
    call.run(8)
    call.impairments = Impairments()
    call.theirs.close(call.now, "bye now")
    call.run(0.1)
    events = []
    while (event := call.ours.next_event()) is not None:
        events.append(event)
    reports = [event for event in events if isinstance(event, ReportReceived)]
    assert any(0.05 < report.fraction_lost < 0.4 for report in reports)
    assert events[-1] == SourceLeft(2, "bye now")


def test_after_closing_nothing_is_sent_or_received(make_call: Any) -> None:
    call = make_call()
    call.start()
    call.run(0.1)
    call.ours.close(call.now)
    assert len(call.ours.datagrams_to_send()) == 1
    call.ours.sender.write(bytes(3200))
    call.theirs.sender.write(bytes(3200))
    call.run(5)
    assert call.ours.packets_to_send(call.now) == []
    assert call.ours.next_timeout() is None
    assert call.ours_heard == []


def test_track_that_is_put_on_hold_comes_back(make_call: Any, media: SimpleNamespace) -> None:
    call = make_call()
    call.start()
    call.theirs.sender.write(media.pcm_of(range(1, 1601)))
    call.run(1.0)
    track, receiver = call.theirs.sender, call.theirs.receiver
    call.theirs.set_tracks(receiver=receiver, sender=None)
    call.run(3.0)
    call.theirs.set_tracks(receiver=receiver, sender=track)
    track.write(media.pcm_of(range(1601, 3201)))
    call.run(1.0)
    assert [value for value in call.ours_heard if value > 0] == list(range(1, 3201))
    assert call.ours.statistics(call.now).inbound_rtp.packets_lost == 0


def test_sender_that_restarts_with_another_ssrc_after_each_hold_is_heard_each_time(
    make_call: Any, media: SimpleNamespace
) -> None:
    call = make_call()
    call.start()
    far_end = SrtpSession(SrtpKeys(AEAD_AES_128_GCM, *KEYS[2:], *KEYS[:2]))
    for restart in range(100):
        stream = media.linear_stream(10, first=100 * restart, ssrc=1000 + 7919 * restart)
        heard = len(call.ours_heard)
        for packet in stream:
            call.send(call.ours, [far_end.protect(packet)])
            call.run(0.02)
        call.run(0.3)
        spoken = set(range(100 * restart, 100 * restart + 1600))
        assert spoken <= set(call.ours_heard[heard:])
    events = iter(call.ours.next_event, None)
    assert sum(isinstance(event, SourceRetired) for event in events) == 1
    assert call.ours.statistics(call.now).counters.sources_retired == 101 - MAX_SSRCS


def test_session_without_tracks_takes_part_in_nothing_but_rtcp(make_call: Any) -> None:
    call = make_call()
    call.ours.set_tracks(receiver=None, sender=None)
    call.start()
    call.theirs.sender.write(bytes(3200))
    call.run(6)
    assert call.ours.statistics(6.0) == Statistics()
    assert counters(call.ours) == counters(call.theirs) == (0, 0, 0)
