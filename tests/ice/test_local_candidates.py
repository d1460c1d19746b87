"""What a peer is told of the local addresses: types, priorities, foundations, and nothing twice (RFC 8445 §5.1)."""

import random

from glottis.ice import IceAgent
from glottis.sdp.candidate import Candidate, candidate_priority
from glottis.wire.address import Address, Path

BASE = Address("10.0.0.1", 5000)
OUTSIDE = Address("198.51.100.7", 40000)
PUBLIC = Address("203.0.113.5", 5000)


def agent(lite: bool = False) -> IceAgent:
    return IceAgent(controlling=False, rng=random.Random(1), lite=lite)


def test_a_reflexive_candidate_names_its_base_and_comes_after_host_candidates() -> None:
    ice = agent()
    host = ice.add_local_candidate(BASE)
    candidate = ice.add_reflexive_candidate(OUTSIDE, base=BASE, server="stun.example")
    assert candidate is not None
    assert (candidate.type, candidate.address, candidate.port) == ("srflx", *OUTSIDE)
    assert (candidate.related_address, candidate.related_port) == BASE
    assert candidate.priority == candidate_priority("srflx", 65534) < host.priority
    assert candidate.username_fragment == ice.local_ufrag
    assert ice.local_candidates == (host, candidate)


def test_foundations_differ_by_server_and_by_base() -> None:
    ice = agent()
    other = Address("10.0.0.2", 5000)
    for base in (BASE, other):
        ice.add_local_candidate(base)
    reflexive = [
        ice.add_reflexive_candidate(OUTSIDE._replace(port=port), base=base, server=server)
        for port, (base, server) in enumerate([(BASE, "one"), (BASE, "two"), (other, "one")], 40000)
    ]
    again = ice.add_reflexive_candidate(Address("198.51.100.8", 1), base=BASE, server="one")
    assert again is not None
    assert all(reflexive)
    foundations = [candidate.foundation for candidate in reflexive if candidate]
    assert len(set(foundations)) == 3
    assert again.foundation == foundations[0]
    assert len({candidate.priority for candidate in ice.local_candidates}) == 6


def test_a_redundant_reflexive_candidate_is_dropped() -> None:
    ice = agent()
    ice.add_local_candidate(BASE, announced=[BASE, PUBLIC])
    for known in (BASE, PUBLIC):
        assert ice.add_reflexive_candidate(known, base=BASE, server="stun.example") is None
    assert ice.add_reflexive_candidate(OUTSIDE, base=BASE, server="stun.example")
    assert ice.add_reflexive_candidate(OUTSIDE, base=BASE, server="other.example") is None
    assert ice.add_reflexive_candidate(PUBLIC, base=OUTSIDE, server="stun.example") is None, "no base of ours"


def test_advertised_addresses_are_told_in_place_of_the_bound_one_which_stays_secret() -> None:
    ice = agent()
    base = ice.add_local_candidate(BASE, announced=[PUBLIC])
    [told] = ice.local_candidates
    assert (told.type, told.address, told.port, told.related_address) == ("host", *PUBLIC, None)
    assert told.foundation == base.foundation
    reflexive = ice.add_reflexive_candidate(OUTSIDE, base=BASE, server="stun.example")
    assert reflexive is not None
    assert BASE.host not in "".join(candidate.to_sdp() for candidate in ice.local_candidates)
    assert (reflexive.related_address, reflexive.related_port) == ("0.0.0.0", 0)


def test_a_lite_agent_has_host_candidates_only() -> None:
    ice = agent(lite=True)
    ice.add_local_candidate(BASE, announced=[BASE, PUBLIC])
    assert ice.add_reflexive_candidate(OUTSIDE, base=BASE, server="stun.example") is None
    assert [candidate.type for candidate in ice.local_candidates] == ["host", "host"]


RELAYED = Address("198.51.100.8", 49152)
REMOTE = Candidate("1", 1, "udp", 100, "192.0.2.1", 50000, "host")


def test_a_relayed_candidate_is_its_own_base_and_comes_last() -> None:
    ice = agent()
    host = ice.add_local_candidate(BASE)
    reflexive = ice.add_reflexive_candidate(OUTSIDE, base=BASE, server="stun.example")
    relayed = ice.add_relayed_candidate(RELAYED, mapped=OUTSIDE, server="turn.example")
    assert relayed is not None
    assert reflexive is not None
    assert (relayed.type, relayed.address, relayed.port) == ("relay", *RELAYED)
    assert (relayed.related_address, relayed.related_port) == OUTSIDE
    assert relayed.priority < reflexive.priority
    assert ice.local_candidates == (host, reflexive, relayed)


def test_a_relayed_candidate_is_checked_by_the_relay() -> None:
    ice = agent()
    ice.set_remote_parameters("peer", "p" * 22, now=0.0)
    ice.add_remote_candidates([REMOTE], 0.0)
    assert ice.pairs() == ()
    ice.add_relayed_candidate(RELAYED, mapped=None, server="turn.example")
    ice.handle_timeout(0.0)
    [check] = ice.datagrams_to_send()
    assert check.path == Path(RELAYED, Address(REMOTE.address, REMOTE.port), "relay")


def test_a_relayed_candidate_does_not_tell_what_is_not_announced() -> None:
    candidate = agent().add_relayed_candidate(RELAYED, mapped=OUTSIDE, server="turn.example")
    assert candidate is not None
    assert (candidate.related_address, candidate.related_port) == ("0.0.0.0", 0)
    of_ipv6 = agent().add_relayed_candidate(Address("2001:db8::8", 1), mapped=None, server="turn.example")
    assert of_ipv6 is not None
    assert of_ipv6.related_address == "::"


def test_a_relayed_candidate_is_announced_once_and_by_no_lite_agent() -> None:
    ice = agent()
    assert ice.add_relayed_candidate(RELAYED, mapped=None, server="turn.example") is not None
    assert ice.add_relayed_candidate(RELAYED, mapped=None, server="turn.example") is None
    assert agent(lite=True).add_relayed_candidate(RELAYED, mapped=None, server="turn.example") is None
