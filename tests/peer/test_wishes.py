"""What the peer wishes of the stream that it gets, and what its path lets through."""

from collections.abc import Callable

import pytest
from glottis.contracts.statistics import Statistics
from glottis.peer import PeerSettings
from glottis.testing.impairments import Impairments
from glottis.testing.peers import GATEWAY, VirtualCall
from glottis.wire.address import Datagram
from glottis.wire.rtcp import MaximumBitrate, ReceiverReport, build_rtcp
from support.audio import SPEECH, read_wav
from support.installed import installed_plugins

OPUS = installed_plugins().codecs.find("opus").spec


def speech() -> bytes:
    samples, _ = read_wav(SPEECH)
    return samples.astype("int16").tobytes()


def call_with(change: Callable[[str], str], packet_ms: float | None = None) -> VirtualCall:
    """The caller's offer reaches the gateway changed."""
    call = VirtualCall([OPUS], gateway_settings=PeerSettings((OPUS,), packet_ms=packet_ms))
    offer = change(call.caller.connection.make_offer())
    call.caller.connection.accept_answer_untrusted(call.gateway.connection.accept_offer_untrusted(offer, 0.0), 0.0)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=30)
    return call


def start_media(call: VirtualCall, seconds: float) -> None:
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    call.gateway.connection.voice.write(speech() * round(1 + seconds / 3))


@pytest.mark.parametrize(
    ("fmtp", "packet_ms", "expected"),
    [
        ("ptime=40", None, 40),
        ("maxptime=10", None, 10),
        ("minptime=40", None, 40),
        ("minptime=60;maxptime=20", None, 20),
        ("minptime=20", 10, 20),
        ("maxptime=1", None, min(OPUS.frame_durations_ms)),
        ("ptime=0;maxptime=x;minptime=99999999999999999999", None, 20),
    ],
)
def test_packet_times_of_the_format_are_obeyed(fmtp: str, packet_ms: float | None, expected: float) -> None:
    call = call_with(lambda sdp: sdp.replace("minptime=10;", fmtp + ";"), packet_ms)
    assert call.gateway.connection.voice.packet_ms == expected


@pytest.mark.parametrize(("wish", "packet_ms"), [("", 20), ("a=ptime:40\r\n", 40), ("a=maxptime:10\r\n", 10)])
def test_what_a_later_offer_wishes_is_obeyed_from_then_on(wish: str, packet_ms: float) -> None:
    call = call_with(lambda sdp: sdp)
    start_media(call, 3)
    call.network.run(seconds=1)
    caller, gateway = call.caller.connection, call.gateway.connection
    plain = caller.make_offer()
    for offer, expected, most in (
        (plain.replace("a=rtcp-mux\r\n", wish + "a=rtcp-mux\r\n"), packet_ms, 24_000),
        (plain.replace("minptime=10;", "maxaveragebitrate=14000;"), 20, 14_000),
    ):
        caller.accept_answer_untrusted(gateway.accept_offer_untrusted(offer, call.network.now), call.network.now)
        call.network.run(seconds=1)
        assert gateway.voice.packet_ms == expected
        outbound = statistics(call).outbound_rtp
        assert outbound is not None
        assert outbound.target_bitrate == most
    assert call.caller.connection.voice.session.packets_malformed == 0


@pytest.mark.slow
def test_bitrate_that_the_peer_takes_at_most_holds_whatever_is_lost() -> None:
    call = call_with(lambda sdp: sdp.replace("minptime=10;", "maxaveragebitrate=14000;"))
    call.network.impairments = Impairments(loss=0.2, delay=0.02)
    start_media(call, 12)
    call.network.run(seconds=12)
    outbound = statistics(call).outbound_rtp
    assert outbound is not None
    assert outbound.bytes_sent * 8 / 12 < 14_000 * 1.1
    assert outbound.target_bitrate is not None
    assert outbound.target_bitrate <= 14_000


@pytest.mark.slow
def test_who_takes_no_fec_is_sent_none_and_no_bitrate_for_it() -> None:
    call = call_with(lambda sdp: sdp.replace(";useinbandfec=1", ""))
    call.network.impairments = Impairments(loss=0.1, delay=0.02)
    start_media(call, 12)
    call.network.run(seconds=12)
    outbound, heard = statistics(call).outbound_rtp, call.caller.connection.statistics(call.network.now)
    assert outbound is not None
    assert (outbound.target_bitrate, outbound.fec_packets_sent) == (24_000, 0)
    assert heard.inbound_rtp is not None
    assert heard.counters.recovery_attempts > 10
    assert heard.inbound_rtp.fec_recovered_samples == 0


def statistics(call: VirtualCall) -> Statistics:
    return call.gateway.connection.statistics(call.network.now)


def test_bitrate_that_the_peer_estimates_is_obeyed() -> None:
    """As older stacks tell it, whose offers have no transport-wide feedback; headers are in it."""
    call = call_with(lambda sdp: sdp.replace("transport-cc", "nothing"))
    start_media(call, 2)
    call.network.run(seconds=1)
    protection = call.caller.connection.voice.session.protection
    gateway, path = call.gateway.connection, call.gateway.connection.transport.selected_path
    assert protection is not None
    assert path is not None
    estimate = build_rtcp([ReceiverReport(1), MaximumBitrate(1, 44_000, (2,))])
    gateway.handle_datagram(protection.protect_rtcp(estimate), path, call.network.now)
    call.network.run(seconds=0.2)
    told = statistics(call)
    assert told.outbound_rtp is not None
    assert told.outbound_rtp.target_bitrate == 44_000 - 27_200
    assert told.candidate_pair is not None
    assert told.candidate_pair.available_outgoing_bitrate == 44_000


class Bottleneck:
    """On the way from the gateway: so many bits per second, and a queue of so many seconds."""

    def __init__(self, call: VirtualCall, bits_per_second: float, longest: float) -> None:
        self.delays: list[float] = []
        """Of each packet how long it has waited; infinite if there was no room."""
        self._network, self._send = call.network, call.network.send
        self._bits_per_second, self._longest = bits_per_second, longest
        self._free_at = 0.0
        call.network.send = self  # type: ignore[method-assign]

    def __call__(self, datagram: Datagram) -> None:
        now, delay = self._network.now, 0.0
        if datagram.path.local == GATEWAY:
            delay = max(0.0, self._free_at - now)
            if delay > self._longest:
                self.delays.append(float("inf"))
                return
            self.delays.append(delay)
            self._free_at = now + delay + 8 * (len(datagram.data) + 28) / self._bits_per_second
        self._network.impairments = Impairments(delay=0.02 + delay)
        self._send(datagram)


@pytest.mark.slow
@pytest.mark.parametrize(("feedback", "full"), [("transport-cc", 0.1), ("nothing", 0.4)])
def test_narrow_path_is_not_kept_full(feedback: str, full: float) -> None:
    """By reports alone the queue is seen late, but it is."""
    call = call_with(lambda sdp: sdp.replace("transport-cc", feedback))
    path = Bottleneck(call, 32_000, longest=0.3)
    start_media(call, 40)
    call.network.run(seconds=20)
    early = path.delays[:600]
    path.delays.clear()
    call.network.run(seconds=16)
    assert sum(delay > 0.1 for delay in early) > 100
    assert sum(delay > 0.1 for delay in path.delays) < full * len(path.delays)
    assert call.gateway.connection.voice.packet_ms > 20
