"""What a connection tells its peer of addresses that are found in the middle: in the description, or after it."""

from collections.abc import Sequence

from glottis.peer import LocalCandidate, LocalCandidatesEnded, PeerConnectionEvent, PeerSettings
from glottis.testing.peers import VirtualCall
from glottis.wire.address import Address
from support.installed import installed_plugins

CODECS = (installed_plugins().codecs.find("PCMU").spec,)
OUTSIDE = Address("198.51.100.7", 40000)
REFLEXIVE = "198.51.100.7 40000 typ srflx raddr 192.0.2.2 rport 5000"


def base(call: VirtualCall) -> Address:
    candidate = call.gateway.connection.transport.ice.local_candidates[0]
    return Address(candidate.address, candidate.port)


def find(call: VirtualCall, address: Address = OUTSIDE) -> None:
    call.gateway.connection.local_candidates.add_reflexive(address, base=base(call), server="stun.example")


def told(call: VirtualCall) -> Sequence[PeerConnectionEvent]:
    connection = call.gateway.connection
    events = list(iter(connection.next_event, None))
    return [event for event in events if isinstance(event, LocalCandidate | LocalCandidatesEnded)]


def answer_of(call: VirtualCall) -> str:
    return call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), 0.0)


def test_what_is_found_before_the_description_is_in_it() -> None:
    call = VirtualCall(CODECS)
    find(call)
    call.gateway.connection.local_candidates.end()
    assert told(call) == []
    answer = answer_of(call)
    assert REFLEXIVE in answer
    assert "a=end-of-candidates" in answer
    assert told(call) == []


def test_what_is_found_after_the_description_is_trickled_once_and_then_the_end() -> None:
    call = VirtualCall(CODECS)
    answer = answer_of(call)
    assert "srflx" not in answer
    assert "end-of-candidates" not in answer
    find(call)
    find(call)
    for _ in range(2):
        call.gateway.connection.local_candidates.end()
    candidate, end = told(call)
    assert isinstance(candidate, LocalCandidate)
    assert REFLEXIVE in candidate.candidate.to_sdp()
    assert end == LocalCandidatesEnded(candidate.mid, candidate.media_index, candidate.ufrag)


def test_what_is_found_after_the_end_is_for_later_calls() -> None:
    call = VirtualCall(CODECS)
    answer_of(call)
    call.gateway.connection.local_candidates.end()
    find(call)
    assert [type(event) for event in told(call)] == [LocalCandidatesEnded]


def test_addresses_are_announced_in_place_of_the_bound_one_which_carries_the_call() -> None:
    bound = base(VirtualCall(CODECS))
    public = Address("203.0.113.5", 5000)
    settings = PeerSettings(CODECS, announced={bound: [public]})
    call = VirtualCall(CODECS, gateway_settings=settings)
    call.negotiate()
    told = [candidate.address for candidate in call.gateway.connection.transport.ice.local_candidates]
    assert told == [public.host]
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=5)
