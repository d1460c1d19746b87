"""Whole calls between two peer connections over the virtual network."""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from glottis import AudioFrame, CodecSpec, Encoder, EncoderKnobs, EncoderSettings, LocalError, Malformed
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.call import Heard
from glottis.contracts.notes import Note
from glottis.contracts.statistics import Statistics
from glottis.peer import (
    ConnectionState,
    ConnectionStateChanged,
    LocalCandidate,
    PeerConnection,
    PeerSettings,
)
from glottis.peer.packet_times import legal_packet_ms
from glottis.rtp import Tone
from glottis.sctp import ChannelOpened, DataChannels, TextReceived
from glottis.sdp import AnswerRefused, NoCommonCodec, OfferRefused
from glottis.testing.impairments import Impairments
from glottis.testing.peers import CALLER, VirtualCall, VirtualPeer
from glottis.wire import address as wire_address
from glottis.wire.address import Address, Datagram
from glottis.wire.rtcp import is_rtcp
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.installed import installed_plugins
from support.seeds import seeds

FIXTURES = Path(__file__).parents[1] / "vectors" / "sdp"
REGISTRY = installed_plugins()
OPUS, G722, PCMU, PCMA = (REGISTRY.codecs.find(name).spec for name in ("opus", "G722", "PCMU", "PCMA"))
ALL = (OPUS, G722, PCMU, PCMA)
RATE = 16000


def speech() -> bytes:
    samples, _ = read_wav(SPEECH)
    return samples.astype("int16").tobytes()


def talk(call: VirtualCall, seconds: float) -> None:
    """The caller speaks while time passes."""
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    call.caller.connection.voice.write(speech()[: round(seconds * RATE) * 2])
    call.network.run(seconds=seconds + 0.5)


def states(peer: VirtualPeer) -> list[ConnectionState]:
    return [event.state for event in peer.events if isinstance(event, ConnectionStateChanged)]


@pytest.mark.parametrize(("codec", "likeness"), [(OPUS, 0.75), (G722, 0.9), (PCMU, 0.85), (PCMA, 0.85)])
def test_what_is_said_is_heard_at_the_other_end(codec: CodecSpec, likeness: float) -> None:
    call = VirtualCall([codec])
    assert call.connect()
    talk(call, 2.5)
    heard = from_pcm(bytes(call.gateway.heard))
    assert similarity(heard, from_pcm(speech()), RATE) > likeness
    assert abs(len(heard) / RATE - 2.5) < 0.6


@pytest.mark.parametrize("seed", seeds(40))
def test_calls_connect_and_carry_speech_over_a_bad_network(seed: int) -> None:
    call = VirtualCall([PCMU], seed=seed, impairments=Impairments(loss=0.1, duplication=0.05, delay=0.03, jitter=0.02))
    assert call.connect(seconds=15)
    talk(call, 1.0)
    heard = from_pcm(bytes(call.gateway.heard))
    assert similarity(heard, from_pcm(speech()), RATE, window=0.1) > 0.5


@pytest.mark.slow
def test_one_lost_packet_adds_no_delay() -> None:
    def heard_with(lost: int | None) -> bytes:
        call = VirtualCall([PCMU])
        assert call.connect()
        for peer in (call.caller, call.gateway):
            peer.start_media(call.network.now)
        call.caller.connection.voice.write(speech()[: RATE * 2 * 2])
        call.network.run(seconds=0.5)
        if lost is not None:
            call.network.impairments = Impairments(loss=1.0)
            call.network.run(seconds=lost * 0.02)
            call.network.impairments = Impairments()
        call.network.run(seconds=1.0)
        return bytes(call.gateway.heard)

    whole, gapped = heard_with(None), heard_with(1)
    last = slice(round(0.75 * RATE) * 2, min(len(whole), len(gapped)))  # well after the gap at 0.5 s
    assert from_pcm(gapped[last]) == pytest.approx(from_pcm(whole[last]))


def test_both_ends_are_connected_and_close_tells_the_other_end_at_once() -> None:
    call = VirtualCall(ALL)
    assert call.connect()
    call.caller.connection.close(call.network.now)
    assert call.network.run(lambda: call.gateway.connection.state is ConnectionState.CLOSED, seconds=0.1)
    assert states(call.gateway) == [ConnectionState.CONNECTING, ConnectionState.CONNECTED, ConnectionState.CLOSED]
    assert call.caller.connection.next_timeout() is None


@pytest.mark.parametrize("lite", [True, False])
def test_checks_and_a_client_hello_that_overtake_the_answer_neither_stop_nor_delay_the_call(lite: bool) -> None:
    call = VirtualCall(ALL, caller_settings=PeerSettings(ALL, ice_lite=lite))
    answer = call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), call.network.now)
    call.network.run(seconds=0.2)
    call.caller.connection.accept_answer_untrusted(answer, call.network.now)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=0.05)


def test_a_peer_that_vanishes_is_reported_disconnected_then_failed() -> None:
    call = VirtualCall(ALL)
    assert call.connect()
    call.network.impairments = Impairments(loss=1.0)
    assert call.network.run(lambda: call.gateway.connection.state is ConnectionState.DISCONNECTED, seconds=10)
    assert call.network.run(lambda: call.gateway.connection.state is ConnectionState.FAILED, seconds=31)


def test_a_disconnected_peer_that_comes_back_is_connected_again() -> None:
    call = VirtualCall(ALL)
    assert call.connect()
    call.network.impairments = Impairments(loss=1.0)
    assert call.network.run(lambda: call.gateway.connection.state is ConnectionState.DISCONNECTED, seconds=10)
    call.network.impairments = Impairments()
    assert call.network.run(lambda: call.gateway.connected, seconds=10)


@pytest.mark.slow
def test_media_counts_as_a_sign_of_life_when_checks_are_lost() -> None:
    call = VirtualCall([PCMU], impairments=Impairments(loss=0.2))
    assert call.connect()
    talk(call, 3.0)
    for _ in range(30):
        call.caller.connection.voice.write(speech()[: RATE * 2])
        call.network.run(seconds=1.0)
    assert ConnectionState.DISCONNECTED not in states(call.gateway)


def test_a_wrong_fingerprint_fails_the_call_before_any_media() -> None:
    call = VirtualCall(ALL)
    now = call.network.now
    offer = call.caller.connection.make_offer()
    fingerprint = next(line for line in offer.splitlines() if line.startswith("a=fingerprint"))
    forged = offer.replace(fingerprint, fingerprint[:-5] + ("00:00" if fingerprint[-5:] != "00:00" else "11:11"))
    call.caller.connection.accept_answer_untrusted(call.gateway.connection.accept_offer_untrusted(forged, now), now)
    assert call.network.run(lambda: call.gateway.connection.state is ConnectionState.FAILED, seconds=5)
    last = call.gateway.events[-1]
    assert isinstance(last, ConnectionStateChanged)
    assert "FINGERPRINT_MISMATCH" in last.reason
    talk(call, 0.5)
    assert call.gateway.heard == b""


def test_packets_are_relayed_without_decoding() -> None:
    call = VirtualCall([OPUS])
    assert call.connect()
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    call.caller.connection.voice.write_packet(EncodedPacket(b"\x78" + bytes(20), "opus", 48000, 0, 960))
    call.network.run(seconds=0.1)
    with pytest.raises(ValueError, match="expected opus/48000, got PCMU/8000"):
        call.caller.connection.voice.write_packet(EncodedPacket(b"\xff" * 160, "PCMU", 8000, 0, 160))


# Negotiation


@pytest.fixture
def gateway() -> Callable[..., VirtualCall]:
    return lambda **settings: VirtualCall(ALL, gateway_settings=PeerSettings(ALL, **settings))


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("*_offer.sdp")))
def test_browsers_offers_are_answered_with_their_candidates_in_any_order(
    gateway: Callable[..., VirtualCall], name: str
) -> None:
    sdp = (FIXTURES / name).read_text()
    candidates = json.loads((FIXTURES / name.replace("_offer.sdp", "_candidates.json")).read_text())
    for late in (False, True):
        connection = gateway().gateway.connection
        if late:
            connection.accept_offer_untrusted(sdp.replace("\r\n", "\n").replace("\n", "\r\n"), 0.0)
        for candidate in candidates:
            connection.remote_candidates.add_untrusted(
                (candidate or {}).get("candidate", ""),
                mid=(candidate or {}).get("sdpMid"),
                media_index=(candidate or {}).get("sdpMLineIndex"),
                username_fragment=(candidate or {}).get("usernameFragment"),
                now=0.0,
            )
        if not late:
            connection.accept_offer_untrusted(sdp.replace("\r\n", "\n").replace("\n", "\r\n"), 0.0)
        assert connection.voice.encoding_name == "opus"


def test_the_request_chooses_what_is_sent(gateway: Callable[..., VirtualCall]) -> None:
    call = gateway(output_codec="PCMA")
    assert call.connect()
    assert call.gateway.connection.voice.encoding_name == "PCMA"


@pytest.mark.parametrize(
    ("wanted", "longest", "expected"), [(20, None, 20), (30, None, 20), (45, None, 40), (20, 10, 10), (500, None, 60)]
)
def test_packet_durations_are_legal_ones(wanted: float, longest: float | None, expected: float) -> None:
    assert legal_packet_ms(OPUS, wanted, longest) == expected


@pytest.mark.parametrize(("packet_ms", "spacing"), [(10, 0.01), (20, 0.02), (40, 0.04)])
def test_packets_of_any_duration_leave_evenly(
    gateway: Callable[..., VirtualCall], packet_ms: int, spacing: float
) -> None:
    call = gateway(packet_ms=packet_ms)
    assert call.connect()
    call.gateway.start_media(call.network.now)
    call.gateway.connection.voice.write(speech()[: RATE * 2])
    sent: list[float] = []
    send = call.network.send

    def note(datagram: Datagram) -> None:
        if datagram.data[0] >= 128 and not 192 <= datagram.data[1] <= 223:
            sent.append(call.network.now)
        send(datagram)

    call.network.send = note  # type: ignore[method-assign]
    call.network.run(seconds=1.2)
    steps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert len(sent) == round(1 / spacing)
    assert steps == pytest.approx([spacing] * len(steps))


def test_an_offer_without_a_codec_of_ours_names_what_was_offered(gateway: Callable[..., VirtualCall]) -> None:
    offer = VirtualCall([replace(PCMU, encoding_name="L16", static_payload_type=None)]).caller.connection.make_offer()
    with pytest.raises(NoCommonCodec, match="L16/8000"):
        gateway().gateway.connection.accept_offer_untrusted(offer, 0.0)


@pytest.mark.slow
def test_a_refused_offer_changes_nothing_and_the_next_one_is_answered(gateway: Callable[..., VirtualCall]) -> None:
    call = gateway()
    with pytest.raises(Malformed):
        call.gateway.connection.accept_offer_untrusted("v=0\r\n", 0.0)
    assert call.connect()


def test_the_answerer_is_the_dtls_server_where_it_has_the_choice(gateway: Callable[..., VirtualCall]) -> None:
    call = gateway()
    answer = call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), 0.0)
    assert "a=setup:passive" in answer


def test_a_second_offer_goes_on_with_the_same_transport(gateway: Callable[..., VirtualCall]) -> None:
    call = gateway()
    offer = call.caller.connection.make_offer()
    now = call.network.now
    first = call.gateway.connection.accept_offer_untrusted(offer, now)
    call.caller.connection.accept_answer_untrusted(first, now)
    assert call.network.run(lambda: call.gateway.connected)
    second = call.gateway.connection.accept_offer_untrusted(offer.replace("a=sendrecv", "a=recvonly"), call.network.now)
    assert "a=sendonly" in second
    assert [line for line in second.splitlines() if line.startswith(("a=ice-", "a=setup"))] == [
        line for line in first.splitlines() if line.startswith(("a=ice-", "a=setup"))
    ]


@pytest.mark.parametrize(("offered", "answered"), [("sendonly", "recvonly"), ("inactive", "inactive")])
def test_a_call_on_hold_is_silent_until_it_is_taken_up_again(offered: str, answered: str) -> None:
    call = VirtualCall([PCMU])
    offer = call.caller.connection.make_offer()
    call.caller.connection.accept_answer_untrusted(call.gateway.connection.accept_offer_untrusted(offer, 0.0), 0.0)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected)

    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)

    def received_after_a_second_of_speech() -> int:
        call.gateway.connection.voice.write(speech()[: RATE * 2])
        call.network.run(seconds=1.5)
        inbound = call.caller.connection.statistics(call.network.now).inbound_rtp
        assert inbound is not None
        return inbound.packets_received

    assert received_after_a_second_of_speech() == 50
    held = call.gateway.connection.accept_offer_untrusted(offer.replace("a=sendrecv", f"a={offered}"), call.network.now)
    assert f"a={answered}" in held
    assert received_after_a_second_of_speech() == 50
    assert "a=sendrecv" in call.gateway.connection.accept_offer_untrusted(offer, call.network.now)
    assert received_after_a_second_of_speech() == 100


def test_a_candidate_that_comes_ten_seconds_late_is_used_for_a_caller_that_sends_no_checks() -> None:
    call = VirtualCall([PCMU], caller_settings=PeerSettings((PCMU,), ice_lite=True))
    lines = call.caller.connection.make_offer().splitlines(keepends=True)
    (candidate,) = [line[2:].strip() for line in lines if line.startswith("a=candidate:")]
    bare = "".join(line for line in lines if "candidate" not in line)
    call.caller.connection.accept_answer_untrusted(call.gateway.connection.accept_offer_untrusted(bare, 0.0), 0.0)
    call.network.run(seconds=10)
    assert not call.gateway.connected
    call.gateway.connection.remote_candidates.add_untrusted(
        candidate, mid="0", media_index=0, username_fragment=None, now=call.network.now
    )
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=2)


@pytest.mark.parametrize("changed", ["fingerprint", "setup"])
def test_a_dtls_restart_is_refused_by_name_and_the_call_goes_on(
    gateway: Callable[..., VirtualCall], changed: str
) -> None:
    call = gateway()
    offer = call.caller.connection.make_offer()
    answer = call.gateway.connection.accept_offer_untrusted(offer, 0.0)
    call.caller.connection.accept_answer_untrusted(answer, 0.0)
    assert call.network.run(lambda: call.gateway.connected)
    taken_role, *_ = re.findall("a=setup:.*", answer)
    other = {
        "fingerprint": re.sub("sha-256 (..)", lambda first: f"sha-256 {int(first[1], 16) ^ 1:02X}", offer),
        "setup": re.sub("a=setup:.*", taken_role, offer),
    }
    with pytest.raises(OfferRefused) as refusal:
        call.gateway.connection.accept_offer_untrusted(other[changed], call.network.now)
    assert refusal.value.code == "DTLS_RESTART_UNSUPPORTED"
    assert call.gateway.connected
    call.gateway.connection.accept_offer_untrusted(offer, call.network.now)


def test_an_answer_that_rejects_the_audio_is_refused() -> None:
    call = VirtualCall(ALL)
    answer = call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), 0.0)
    with pytest.raises(AnswerRefused):
        call.caller.connection.accept_answer_untrusted(answer.replace("m=audio 9", "m=audio 0"), 0.0)


def test_an_address_that_comes_before_any_description_is_in_the_first() -> None:
    call = VirtualCall(ALL)
    early = Address("192.0.2.3", 5002)
    call.network.attach(call.caller, early)
    call.caller.connection.local_candidates.add(early)
    assert call.caller.connection.next_event() is None
    assert f" {early.host} {early.port} typ host" in call.caller.connection.make_offer()


def test_what_is_said_before_a_codec_is_agreed_on_is_dropped() -> None:
    connection = VirtualCall(ALL).caller.connection
    connection.voice.write(bytes(640))
    connection.voice.write_packet(EncodedPacket(bytes(160), "PCMU", 8000, 0, 160))
    assert connection.voice.queued == 0.0
    assert connection.voice.flush() == Heard(0.0, 0.0)


def told(connection: PeerConnection) -> list[object]:
    """What is not for a person."""
    return [event for event in iter(connection.next_event, None) if not isinstance(event, Note)]


def test_an_address_that_comes_later_is_trickled_and_used() -> None:
    call = VirtualCall(ALL)
    call.negotiate()
    late = Address("192.0.2.3", 5002)
    call.network.attach(call.gateway, late)
    call.gateway.connection.local_candidates.add(late)
    connecting, event = told(call.gateway.connection)
    assert connecting == ConnectionStateChanged(ConnectionState.CONNECTING)
    assert isinstance(event, LocalCandidate)
    call.caller.connection.remote_candidates.add_untrusted(
        event.candidate.to_sdp(), mid=event.mid, media_index=event.media_index, username_fragment=None, now=0.0
    )
    call.network.unreachable.add(Address("192.0.2.2", 5000))
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=10)


def test_encoders_get_the_knobs_of_the_settings_and_what_was_negotiated() -> None:
    made: list[EncoderSettings] = []

    def create_encoder(settings: EncoderSettings) -> Encoder:
        made.append(settings)
        return PCMU.create_encoder(settings)

    codec = replace(PCMU, create_encoder=create_encoder)
    knobs = EncoderKnobs(bitrate=20000, complexity=3, in_band_fec=False, dtx=True)
    assert VirtualCall([codec], gateway_settings=PeerSettings((codec,), encoder=knobs)).connect()
    gateways = next(settings for settings in made if settings.bitrate)
    assert gateways == EncoderSettings(16000, 20, bitrate=20000, complexity=3, in_band_fec=False, dtx=True)


class Adjustable:
    """PCMU, with a complexity."""

    def __init__(self, settings: EncoderSettings) -> None:
        encoder = PCMU.create_encoder(settings)
        self.complexities = [settings.complexity]
        self.encode, self.set_bitrate = encoder.encode, encoder.set_bitrate
        self.set_expected_loss = encoder.set_expected_loss

    def set_complexity(self, complexity: int) -> None:
        self.complexities.append(complexity)


def test_complexity_changes_before_and_in_a_call_and_is_told_where_a_codec_has_one() -> None:
    made: list[Adjustable] = []

    def create_encoder(settings: EncoderSettings) -> Encoder:
        made.append(Adjustable(settings))
        return made[-1]

    for codec, complexity in ((replace(PCMU, create_encoder=create_encoder), 1), (PCMU, None)):
        call = VirtualCall([codec])
        voice = call.gateway.connection.voice
        voice.set_complexity(3)
        assert call.connect()
        voice.set_complexity(3)
        voice.set_complexity(1)
        voice.write(speech()[:RATE])
        talk(call, 0.1)
        outbound = call.gateway.connection.statistics(call.network.now).outbound_rtp
        assert outbound is not None
        assert outbound.complexity == complexity
    assert sorted(encoder.complexities for encoder in made) == [[3, 1], [5]]


def noted(frames: list[AudioFrame], frame: AudioFrame) -> AudioFrame:
    frames.append(frame)
    return frame


def test_taps_get_what_is_heard_and_what_is_said() -> None:
    call = VirtualCall([PCMU])
    heard: list[AudioFrame] = []
    said: list[AudioFrame] = []
    call.caller.connection.voice.taps.spoken = partial(noted, said)
    call.gateway.connection.voice.taps.heard = partial(noted, heard)
    assert call.connect()
    talk(call, 1.0)
    assert len(said) == 50
    assert b"".join(frame.pcm for frame in heard) == bytes(call.gateway.heard)


def test_statistics_have_the_names_of_webrtc_stats() -> None:
    call = VirtualCall([PCMU])
    assert call.connect()
    talk(call, 1.0)
    sent = call.caller.connection.statistics(call.network.now).to_json()
    received = call.gateway.connection.statistics(call.network.now).to_json()
    assert received["transport"]["dtlsState"] == "connected"
    assert sent["outbound-rtp"]["packetsSent"] == received["inbound-rtp"]["packetsReceived"] == 50
    assert received["inbound-rtp"]["packetsLost"] == 0
    assert sent["candidate-pair"]["nominated"]
    assert {one["type"] for one in (*sent.values(), *received.values())} >= {
        *("transport", "candidate-pair", "local-candidate", "remote-candidate", "certificate", "codec"),
        *("inbound-rtp", "outbound-rtp", "peer-connection"),
    }
    references = {value for one in sent.values() for name, value in one.items() if name.endswith("Id")}
    assert references <= sent.keys(), "each is the id of an object"
    assert sent["remote-certificate"]["fingerprint"] == received["local-certificate"]["fingerprint"]
    assert sent["local-candidate"]["port"] == received["remote-candidate"]["port"]
    assert (sent["outbound-codec"]["mimeType"], sent["outbound-codec"]["payloadType"]) == ("audio/PCMU", 0)
    assert {sent["transport"]["dtlsRole"], received["transport"]["dtlsRole"]} == {"client", "server"}


def test_an_offer_that_gives_up_audio_silences_the_gateway() -> None:
    call = VirtualCall(ALL)
    offer = call.caller.connection.make_offer()
    audio, data = offer.index("m=audio"), offer.index("m=application")
    data_first = offer[:audio].replace("BUNDLE 0 1", "BUNDLE 1 0") + offer[data:] + offer[audio:data]
    call.gateway.connection.accept_offer_untrusted(data_first, 0.0)
    assert call.gateway.connection.voice.can_send
    call.gateway.connection.accept_offer_untrusted(data_first.replace("m=audio 9", "m=audio 0"), 0.0)
    assert not call.gateway.connection.voice.can_send
    call.gateway.connection.accept_offer_untrusted(data_first, 0.0)
    assert call.gateway.connection.voice.can_send


# Data channels


def channels_of(peer: VirtualPeer) -> DataChannels:
    assert peer.connection.channels is not None
    return peer.connection.channels


def test_text_travels_by_data_channel() -> None:
    call = VirtualCall(ALL)
    assert call.connect()
    channel = channels_of(call.caller).open("chat")
    assert call.network.run(lambda: any(isinstance(event, ChannelOpened) for event in call.caller.events), seconds=2)
    channel.send_text("hello")
    assert call.network.run(
        lambda: any(isinstance(event, TextReceived) and event.text == "hello" for event in call.gateway.events),
        seconds=2,
    )


@pytest.mark.slow
def test_messages_wait_in_the_association_until_their_reader_wants_them() -> None:
    call = VirtualCall(ALL)
    assert call.connect()
    channel = channels_of(call.caller).open("chat")
    assert call.network.run(lambda: any(isinstance(event, ChannelOpened) for event in call.caller.events), seconds=2)
    call.gateway.reads_messages = False
    messages = [f"{number:05}" * 1000 for number in range(600)]  # three times what the window takes
    for message in messages:
        channel.send_text(message)
    call.network.run(seconds=5)
    assert channel.buffered_amount > 0
    assert not any(isinstance(event, TextReceived) for event in call.gateway.events)

    call.gateway.reads_messages = True
    call.network.run(lambda: channel.buffered_amount == 0, seconds=20)
    call.network.run(seconds=1)
    received = [event.text for event in call.gateway.events if isinstance(event, TextReceived)]
    assert received == messages


def test_a_gateway_without_data_channels_rejects_the_section_and_the_call_goes_on(
    gateway: Callable[..., VirtualCall],
) -> None:
    call = gateway(max_message_size=None)
    assert call.connect()
    assert call.gateway.connection.channels is None


# Media that does not wait


def test_first_words_that_overtake_a_lost_last_flight_are_not_lost() -> None:
    call = VirtualCall([PCMU], impairments=Impairments(delay=0.02))
    caller, gateway = call.caller.connection, call.gateway.connection
    offer = caller.make_offer().replace("a=setup:actpass", "a=setup:passive")
    caller.accept_answer_untrusted(gateway.accept_offer_untrusted(offer, 0.0), 0.0)
    lose_first_last_flight(call)
    assert call.network.run(lambda: call.caller.connected, seconds=5)
    assert not call.gateway.connected
    call.caller.start_media(call.network.now)
    caller.voice.write(speech())
    assert call.network.run(lambda: call.gateway.connected, seconds=1)
    call.gateway.start_media(call.network.now)
    call.network.run(seconds=1)
    assert gateway.voice.session.packets_before_start == 0
    inbound, outbound = gateway.statistics(call.network.now).inbound_rtp, caller.statistics(0.0).outbound_rtp
    assert inbound is not None
    assert outbound is not None
    assert inbound.packets_received == pytest.approx(outbound.packets_sent, abs=2)


def lose_first_last_flight(call: VirtualCall) -> None:
    """The DTLS server's last flight, with its ChangeCipherSpec, is lost at first."""
    carry = call.network.send
    lost: list[Datagram] = []

    def send(datagram: Datagram) -> None:
        change_cipher_spec = datagram.data[0] == 20 or b"\x14\xfe\xfd" in datagram.data
        if change_cipher_spec and datagram.path.local == CALLER and not lost:
            lost.append(datagram)
        else:
            carry(datagram)

    call.network.send = send  # type: ignore[method-assign]


def test_reports_of_loss_reach_the_encoder_at_once() -> None:
    told = []

    class Listener:
        def __init__(self, settings: EncoderSettings) -> None:
            self._encoder = PCMU.create_encoder(settings)

        def set_expected_loss(self, fraction: float) -> None:
            told.append(call.network.now)

        def set_bitrate(self, bits_per_second: int) -> None:
            self._encoder.set_bitrate(bits_per_second)

        def encode(self, pcm: bytes) -> bytes:
            return self._encoder.encode(pcm)

    call = VirtualCall([replace(PCMU, create_encoder=Listener)], impairments=Impairments(loss=0.1, delay=0.02))
    assert call.connect()
    arrived = []
    receive = call.gateway.handle_datagram

    def note(data: bytes, path: wire_address.Path, now: float) -> None:
        if is_rtcp(data) and data[1] in (200, 201):  # not feedback by itself
            arrived.append(now)
        receive(data, path, now)

    call.gateway.handle_datagram = note  # type: ignore[method-assign]
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
        peer.connection.voice.write(speech())
    call.network.run(seconds=10)
    assert len(arrived) >= 3
    assert set(arrived) <= set(told)


# Out of turn


def test_before_a_description_there_is_nothing_to_count_and_no_answer_to_take() -> None:
    connection = VirtualCall(ALL).gateway.connection
    assert connection.statistics(0.0) == Statistics()
    with pytest.raises(LocalError, match="no offer"):
        connection.accept_answer_untrusted(VirtualCall(ALL).caller.connection.make_offer(), 0.0)


def test_before_a_description_what_is_said_goes_nowhere() -> None:
    voice = VirtualCall(ALL).gateway.connection.voice
    assert (voice.can_send, voice.can_receive) == (False, False)
    voice.write(b"\x01\x02" * 160)
    voice.write_tone(Tone(5, 0.1, 0.05))
    assert (voice.next_frame(0.0), voice.next_packets(0.0)) == (None, [])
    assert voice.flush() == Heard(0.0, 0.0)


def test_who_has_answered_makes_no_offer() -> None:
    call = VirtualCall(ALL)
    call.negotiate()
    with pytest.raises(LocalError, match="later offers are the other side's"):
        call.gateway.connection.make_offer()


def test_a_connection_is_described_once() -> None:
    connection = VirtualCall(ALL).caller.connection
    connection.make_offer()
    with pytest.raises(LocalError, match="described already"):
        connection.make_offer()


def test_who_is_closed_says_nothing_more() -> None:
    call = VirtualCall(ALL)
    assert call.connect()
    call.gateway.connection.close(call.network.now)
    assert call.gateway.connection.datagrams_to_send()
    call.gateway.connection.close(call.network.now)
    assert call.gateway.connection.datagrams_to_send() == []
