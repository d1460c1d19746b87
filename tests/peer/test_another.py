"""A peer that begins anew with another connection: the audio that there is goes on in it, and what was counted."""

import random

import pytest
from glottis.dtls import Certificate
from glottis.peer import AnotherPeer, PeerConnection, PeerSettings
from glottis.testing import VirtualCall
from glottis.wire.address import Address
from glottis_opus import OPUS

ELSEWHERE = Address("203.0.113.77", 4001)


def test_offer_of_another_connection_is_for_another_which_takes_the_audio_over() -> None:
    """And so are its candidates, though they come before it."""
    call = VirtualCall([OPUS])
    assert call.connect()
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
        peer.connection.voice.write(bytes(640 * 10))
    call.network.run(seconds=0.5)
    gateway, now = call.gateway.connection, call.network.now
    voice = gateway.voice
    before = gateway.statistics(now)
    newcomer = PeerConnection(
        PeerSettings((OPUS,)), certificate=Certificate.generate(), local_addresses=[ELSEWHERE], rng=random.Random(3)
    )
    offer = newcomer.make_offer()
    with pytest.raises(AnotherPeer):
        gateway.accept_offer_untrusted(offer, now)
    candidate, ufrag = f"candidate:1 1 udp 1 {ELSEWHERE.host} 4002 typ host", newcomer.local_ufrags[0]
    gateway.remote_candidates.add_untrusted(candidate, mid="0", media_index=0, username_fragment=ufrag, now=now)
    other = gateway.another()
    other.remote_candidates.expect_from(gateway.remote_candidates)
    answer = other.accept_offer_untrusted(offer, now)
    assert [one.port for one in other.transport.ice.remote_candidates] == [ELSEWHERE.port, 4002]
    other.take_over(gateway, now)
    assert other.voice is voice
    assert gateway.voice is not voice
    after = other.statistics(now)
    assert before.outbound_rtp is not None
    assert after.outbound_rtp is not None
    assert after.outbound_rtp.packets_sent == before.outbound_rtp.packets_sent > 0
    assert after.outbound_rtp.ssrc == before.outbound_rtp.ssrc
    assert f"a=ssrc:{after.outbound_rtp.ssrc} " in answer
