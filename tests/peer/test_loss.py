"""What calls do about loss: redundant audio, in-band FEC, and what both may cost."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import pytest
from glottis import CodecSpec, EncoderSettings
from glottis.contracts.codec import RedPolicy
from glottis.contracts.statistics import Statistics
from glottis.peer import PeerSettings
from glottis.rtp.loss import LEAST_LOSS, Loss, protection
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.peers import VirtualCall
from support.audio import SPEECH, read_wav
from support.installed import installed_plugins

REGISTRY = installed_plugins()
OPUS, PCMU, G722 = (REGISTRY.codecs.find(name).spec for name in ("opus", "PCMU", "G722"))
RATE = 16000
HEAVY = Impairments(loss=0.2, delay=0.02)


def speech() -> bytes:
    samples, _ = read_wav(SPEECH)
    return samples.astype("int16").tobytes()


def converse(call: VirtualCall, seconds: float) -> tuple[Statistics, Statistics]:
    """Both speak for so long; what was counted at the caller's end and at the gateway's."""
    for peer in (call.caller, call.gateway):
        peer.connection.voice.write(speech() * (1 + int(seconds / 3)))
    call.network.run(seconds=seconds)
    return tuple(peer.connection.statistics(call.network.now) for peer in (call.caller, call.gateway))  # type: ignore[return-value]


def call_of(policies: Sequence[RedPolicy] = ("auto", "auto"), impairments: Impairments = HEAVY) -> VirtualCall:
    caller, gateway = (PeerSettings((OPUS, PCMU), red=policy) for policy in policies)
    call = VirtualCall([OPUS], impairments=impairments, caller_settings=caller, gateway_settings=gateway)
    assert call.connect()
    return started(call)


def started(call: VirtualCall) -> VirtualCall:
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    return call


def bytes_sent(statistics: Statistics) -> int:
    assert statistics.outbound_rtp is not None
    return statistics.outbound_rtp.bytes_sent


@pytest.mark.slow
@pytest.mark.parametrize("policies", [("auto", "auto"), ("auto", "on"), ("on", "auto")])
def test_of_packets_lost_in_great_numbers_most_are_recovered_from_later_ones(policies: tuple[RedPolicy, ...]) -> None:
    call = call_of(policies)
    for before, after in zip(converse(call, 8), converse(call, 20), strict=True):
        assert before.inbound_rtp is not None
        assert after.inbound_rtp is not None
        lost = after.inbound_rtp.packets_lost - before.inbound_rtp.packets_lost
        assert lost > 150
        assert after.counters.packets_recovered - before.counters.packets_recovered > 0.8 * lost
        assert after.counters.red_blocks_skipped == 0
        assert after.outbound_rtp is not None
        assert after.outbound_rtp.red_packets_sent > 900


@pytest.mark.slow
@pytest.mark.parametrize("codec", [PCMU, G722], ids=lambda codec: codec.encoding_name)
def test_of_codecs_without_redundancy_of_their_own_most_that_is_lost_comes_twice(codec: CodecSpec) -> None:
    caller = PeerSettings((codec,), red="on")
    call = VirtualCall([codec], impairments=Impairments(loss=0.1, delay=0.02), caller_settings=caller)
    assert call.connect()
    for before, after in zip(converse(started(call), 8), converse(call, 40), strict=True):
        assert before.inbound_rtp is not None
        assert after.inbound_rtp is not None
        lost = after.inbound_rtp.packets_lost - before.inbound_rtp.packets_lost
        assert lost > 150
        assert after.counters.packets_recovered - before.counters.packets_recovered > 0.8 * lost


@pytest.mark.slow
@pytest.mark.parametrize("policies", [("off", "auto"), ("auto", "off")])
def test_who_has_not_agreed_to_redundant_audio_gets_none(policies: tuple[RedPolicy, ...]) -> None:
    for end in converse(call_of(policies), 10):
        assert end.counters.packets_recovered == end.counters.packets_unknown == 0
        assert end.counters.recovery_attempts > 10
        assert end.outbound_rtp is not None
        assert end.outbound_rtp.red_packets_sent == 0 < end.outbound_rtp.fec_packets_sent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "impairments", "is_asked"), [("auto", HEAVY, True), ("auto", PERFECT, False), ("off", HEAVY, False)]
)
def test_who_offers_again_after_losing_packets_is_asked_for_redundant_audio(
    policy: RedPolicy, impairments: Impairments, is_asked: bool
) -> None:
    call = call_of(("auto", policy), impairments)
    converse(call, 6)
    answer = call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), call.network.now)
    first = next(line for line in answer.splitlines() if line.startswith("m=audio")).split()[3]
    assert (f"a=rtpmap:{first} red/" in answer) == is_asked


@pytest.mark.slow
def test_a_later_offer_may_give_up_redundant_audio_and_take_it_up_again() -> None:
    call = VirtualCall([OPUS, PCMU], impairments=HEAVY)
    offer = call.caller.connection.make_offer()
    call.caller.connection.accept_answer_untrusted(call.gateway.connection.accept_offer_untrusted(offer, 0.0), 0.0)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=30)
    started(call)
    recovered = [converse(call, 10)[0].counters.packets_recovered]
    for later in (offer.replace("red/48000", "RFC/48000"), offer):
        call.gateway.connection.accept_offer_untrusted(later, call.network.now)
        recovered.append(converse(call, 4)[0].counters.packets_recovered)
    first, without, again = recovered
    assert first > 20
    assert without - first < 5  # those on the way
    assert again - without > 20


@pytest.mark.slow
def test_without_loss_nothing_is_sent_twice() -> None:
    clean = [bytes_sent(end) for end in converse(call_of(impairments=PERFECT), 10)]
    plain = [bytes_sent(end) for end in converse(call_of(("off", "off"), PERFECT), 10)]
    assert clean == plain


@cache
def bytes_of_a_clean_call(policies: tuple[RedPolicy, ...]) -> int:
    """In twenty seconds, of the end that sends less."""
    return min(bytes_sent(end) for end in converse(call_of(policies, PERFECT), 20))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.03, 0.1, 0.25])
@pytest.mark.parametrize("policies", [("auto", "auto"), ("off", "off")])
def test_loss_costs_at_most_1_6_times_the_bitrate(policies: tuple[RedPolicy, ...], loss: float) -> None:
    clean = bytes_of_a_clean_call(policies)
    lossy = max(bytes_sent(end) for end in converse(call_of(policies, Impairments(loss=loss)), 20))
    assert 1.2 * clean < lossy < 1.6 * clean


@pytest.mark.parametrize("sample_rate", [16000, 24000, 48000])
@pytest.mark.parametrize("loss", [2 * LEAST_LOSS, 0.03, 0.05, 0.08, 0.12])
def test_nearly_every_packet_after_a_voiced_one_carries_it_again(loss: float, sample_rate: int) -> None:
    """The flags at the beginning of a SILK frame say so: RFC 6716 §4.2.3, §4.2.4."""
    samples, _ = read_wav(SPEECH)
    pcm = samples.repeat(3)[:: 3 * RATE // sample_rate].astype("int16").tobytes()
    against = protection(Loss(loss, loss), OPUS.default_bitrates[sample_rate], 20, has_red=False)
    encoder = OPUS.create_encoder(EncoderSettings(sample_rate=sample_rate, remote_parameters={"useinbandfec": "1"}))
    encoder.set_expected_loss(against.expected_loss)
    encoder.set_bitrate(against.bitrate)
    size = sample_rate // 50 * 2
    packets = [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm) - size + 1, size)]
    flags = [(packet[1] >> 7, packet[1] >> 6 & 1) for packet in packets]
    carried = [redundant for (voiced, _), (_, redundant) in pairwise(flags) if voiced]
    assert len(carried) > 80
    assert sum(carried) > 0.95 * len(carried)
