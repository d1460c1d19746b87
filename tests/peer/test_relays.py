"""Relays that come and go in a call, and what the peer is told of them."""

import random

from glottis.dtls import Certificate
from glottis.peer import LocalCandidate, LocalCandidatesEnded, PeerConnection, PeerSettings
from glottis.wire.address import Address
from support.real_call import LINEAR

FIRST, SECOND = Address("203.0.113.2", 49152), Address("203.0.113.2", 49153)


def connection() -> PeerConnection:
    return PeerConnection(
        PeerSettings((LINEAR,)), certificate=Certificate.generate(), local_addresses=[], rng=random.Random(8656)
    )


def lend(peer: PeerConnection, address: Address) -> None:
    peer.local_candidates.add_relayed(address, mapped=None, server="turn.example")


def told(peer: PeerConnection) -> list[str]:
    """The ports of trickled candidates, and the end."""
    words = []
    while (event := peer.next_event()) is not None:
        if isinstance(event, LocalCandidate):
            words.append(str(event.candidate.port))
        elif isinstance(event, LocalCandidatesEnded):
            words.append("end")
    return words


def test_nothing_follows_the_end_of_candidates_but_a_restart_has_it() -> None:
    caller, gateway = connection(), connection()
    lend(gateway, FIRST)
    gateway.local_candidates.end()
    answer = gateway.accept_offer_untrusted(caller.make_offer(), 0.0)
    assert f"{FIRST.port} typ relay" in answer
    assert "a=end-of-candidates" in answer
    lend(gateway, SECOND)
    gateway.local_candidates.end()
    assert told(gateway) == []
    caller.accept_answer_untrusted(answer, 0.0)
    answer = gateway.accept_offer_untrusted(caller.make_restart_offer(1.0), 1.0)
    assert f"{SECOND.port} typ relay" in answer


def test_a_relay_that_is_lost_is_replaced_though_the_end_was_told() -> None:
    caller, gateway = connection(), connection()
    lend(caller, FIRST)
    lend(gateway, FIRST)
    gateway.local_candidates.end()
    gateway.accept_offer_untrusted(caller.make_offer(), 0.0)
    gateway.local_candidates.remove_relayed(FIRST, 0.1)
    lend(gateway, SECOND)
    gateway.local_candidates.end()
    assert told(gateway) == [str(SECOND.port), "end"]
