"""Keys between two peers on the virtual network, beside speech (RFC 4733)."""

import re

import pytest
from glottis import CodecSpec
from glottis.rtp import KeyChange, KeyDown, KeyUp, TelephoneEventReader, Tone
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.peers import VirtualCall, VirtualPeer
from glottis.wire.telephone_event import DIGITS
from support.installed import installed_plugins
from support.seeds import seeds

REGISTRY = installed_plugins()
OPUS, PCMU = (REGISTRY.codecs.find(name).spec for name in ("opus", "PCMU"))


def connected(codecs: list[CodecSpec], seed: int = 0, impairments: Impairments = PERFECT) -> VirtualCall:
    call = VirtualCall(codecs, seed=seed)
    assert call.connect()
    call.network.impairments = impairments
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    return call


def dial(peer: VirtualPeer, digits: str) -> float:
    """A second of speech, the digits, and another second; returns how long it takes."""
    voice = peer.connection.voice
    voice.write(b"\x10\x10" * 16000)
    for digit in digits:
        voice.write_tone(Tone(DIGITS.index(digit), 0.1, 0.06))
    voice.write(b"\x10\x10" * 16000)
    return 2.2 + 0.16 * len(digits)


def pressed(call: VirtualCall, peer: VirtualPeer, seconds: float) -> list[KeyChange]:
    """What is told of the peer's keys in the media ticks meanwhile."""
    changes: list[KeyChange] = []
    for _ in range(round(seconds / 0.02)):
        call.network.run(seconds=0.02)
        changes += peer.connection.voice.next_keys(call.network.now)
    return changes


@pytest.mark.parametrize("codecs", [[OPUS], [PCMU], [OPUS, PCMU]])
def test_keys_go_both_ways_between_speech(codecs: list[CodecSpec]) -> None:
    call = connected(codecs)
    for sender, receiver, digits in ((call.caller, call.gateway, "0123456789*#"), (call.gateway, call.caller, "ABCD1")):
        changes = pressed(call, receiver, dial(sender, digits))
        assert [change.digit for change in changes if isinstance(change, KeyDown)] == [*digits]
        assert [change.duration for change in changes if isinstance(change, KeyUp)] == pytest.approx(
            [0.1] * len(digits)
        )
        statistics = receiver.connection.statistics(call.network.now)
        assert statistics.inbound_rtp is not None
        assert statistics.inbound_rtp.packets_lost == 0
        assert statistics.inbound_rtp.packets_discarded == 0
        assert statistics.counters.packets_unknown == 0
        assert statistics.counters.packets_malformed == 0


@pytest.mark.parametrize("seed", seeds(10))
def test_no_key_is_lost_or_told_twice_over_a_bad_network(seed: int) -> None:
    impairments = Impairments(loss=0.2, duplication=0.1, delay=0.05, jitter=0.03)
    call = connected([OPUS], seed, impairments)
    changes = pressed(call, call.gateway, dial(call.caller, "1123580*##") + 0.5)
    assert [change.digit for change in changes if isinstance(change, KeyDown)] == [*"1123580*##"]


def test_keys_of_a_browser_that_has_events_at_8000_only_beside_opus() -> None:
    """As Firefox offers them: so ours are sent at that clock too."""
    call = VirtualCall([OPUS])
    now = call.network.now
    caller, gateway = call.caller.connection, call.gateway.connection
    offer = re.sub(r"a=rtpmap:97 .*\r\n|a=fmtp:97 .*\r\n", "", caller.make_offer()).replace("96 97 98", "96 98")
    caller.accept_answer_untrusted(gateway.accept_offer_untrusted(offer, now), now)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=10)
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    changes = pressed(call, call.caller, dial(call.gateway, "42"))
    assert changes == [KeyDown("4"), KeyUp(0.1), KeyDown("2"), KeyUp(0.1)]


def test_who_offers_no_events_takes_none() -> None:
    call = VirtualCall([OPUS])
    offer = re.sub(r"a=rtpmap:9[78] .*\r\n", "", call.caller.connection.make_offer())
    call.gateway.connection.accept_offer_untrusted(offer, call.network.now)
    assert not call.gateway.connection.voice.takes_tones


def test_keys_beyond_reason_are_counted_in_the_statistics() -> None:
    call = connected([PCMU])
    for timestamp in range(100):
        reader_input = (b"\1\x8a\0\xa0", 1, timestamp * 1000, call.network.now)
        TelephoneEventReader(8000, call.gateway.connection.voice.keypad).read_untrusted(*reader_input)
    assert call.gateway.connection.statistics(call.network.now).counters.dtmf_refused == 84
