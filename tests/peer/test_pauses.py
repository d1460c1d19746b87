"""Pauses between two peers on the virtual network: told as comfort noise where both sides take it (RFC 3389)."""

from collections.abc import Sequence

import pytest
from glottis import CodecSpec, EncoderKnobs
from glottis.contracts.statistics import Statistics
from glottis.peer import PeerSettings
from glottis.testing.peers import VirtualCall
from support.audio import SPEECH, read_wav
from support.installed import installed_plugins

REGISTRY = installed_plugins()
OPUS, G722, PCMU = (REGISTRY.codecs.find(name).spec for name in ("opus", "G722", "PCMU"))
WORDS = read_wav(SPEECH)[0][: 16000 * 2].astype("int16").tobytes()
PAUSE = bytes(2 * 16000 * 3)


def conversation(
    codecs: Sequence[CodecSpec], *, dtx: bool, with_noise: bool = True
) -> tuple[Statistics, Statistics, str]:
    """The gateway says words, and makes a pause of three seconds: what both ends have counted, and the answer."""
    gateway = PeerSettings(tuple(codecs), encoder=EncoderKnobs(dtx=dtx))
    call = VirtualCall(codecs, caller_settings=PeerSettings(tuple(codecs)), gateway_settings=gateway)
    offer = call.caller.connection.make_offer()
    if not with_noise:
        offer = offer.replace(" 13 ", " ", 1).replace("a=rtpmap:13 CN/8000\r\n", "")
        assert "13" not in next(line for line in offer.splitlines() if line.startswith("m=audio")).split()[3:]
    answer = call.gateway.connection.accept_offer_untrusted(offer, 0.0)
    call.caller.connection.accept_answer_untrusted(answer, 0.0)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=30)
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    call.gateway.connection.voice.write(WORDS + PAUSE + WORDS)
    call.network.run(seconds=7.2)
    ends = [peer.connection.statistics(call.network.now) for peer in (call.caller, call.gateway)]
    return ends[0], ends[1], answer


@pytest.mark.parametrize("codec", [G722, PCMU], ids=lambda codec: codec.encoding_name)
def test_a_pause_costs_next_to_nothing_and_is_no_loss(codec: CodecSpec) -> None:
    caller, gateway, answer = conversation([codec], dtx=True)
    assert "a=rtpmap:13 CN/8000\r\n" in answer
    assert 7 <= gateway.counters.comfort_noise_sent == caller.counters.comfort_noise_received <= 20
    assert gateway.counters.frames_unsent > 120
    assert caller.inbound_rtp is not None
    assert caller.inbound_rtp.packets_lost == caller.inbound_rtp.concealed_samples == 0
    assert caller.inbound_rtp.total_samples_received > 16000 * 6.9


@pytest.mark.parametrize("dtx", [True, False], ids=["peer", "gateway"])
def test_where_one_side_has_none_each_frame_of_a_pause_is_sent(dtx: bool) -> None:
    caller, gateway, _ = conversation([PCMU], dtx=dtx, with_noise=not dtx)
    assert gateway.counters.comfort_noise_sent == gateway.counters.frames_unsent == 0
    assert caller.inbound_rtp is not None
    assert caller.inbound_rtp.packets_received >= 350


def test_opus_has_pauses_of_its_own() -> None:
    caller, gateway, answer = conversation([OPUS], dtx=True)
    assert "CN/8000" not in answer
    assert gateway.counters.frames_unsent > 100
    assert caller.inbound_rtp is not None
    assert caller.inbound_rtp.packets_lost == 0


@pytest.mark.parametrize(("codec", "dtx", "packets"), [(PCMU, False, 150), (OPUS, False, 150), (PCMU, True, 8)])
def test_who_hangs_up_where_nothing_comes_can_be_sent_silence(codec: CodecSpec, dtx: bool, packets: int) -> None:
    gateway = PeerSettings((codec,), encoder=EncoderKnobs(dtx=dtx), send_silence=True)
    call = VirtualCall([codec], gateway_settings=gateway)
    assert call.connect()
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    call.network.run(seconds=3.1)
    received = call.caller.connection.statistics(call.network.now).inbound_rtp
    assert received is not None
    assert packets - 3 <= received.packets_received <= packets + 5
    assert received.packets_lost == 0
