"""Nobody can aim the gateway's checks at whom it likes."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.ice import IceAgent, ProbePolicy
from glottis.ice.policy import why_unusable
from glottis.ice.remote_candidates import MAX_REMOTE_CANDIDATES
from glottis.sdp.candidate import Candidate, parse_candidate_untrusted
from glottis.wire.address import Address

MakeCandidate = Callable[..., Candidate]
MakeAgent = Callable[..., IceAgent]

HOSTILE = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "169.254.169.254",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:203.0.113.1",
    "fe80::1",
    "fec0::1",
    "ff02::fb",
    "::7f00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_hostile_address_is_never_probed(make_agent: MakeAgent, make_candidate: MakeCandidate, address: str) -> None:
    agent = make_agent(Address("198.51.100.7", 50002), Address("2001:db8::7", 50002))
    agent.add_remote_candidates([make_candidate(address)], 0.0)
    agent.handle_timeout(0.0)
    assert agent.datagrams_to_send() == []
    assert agent.pairs() == ()


@pytest.mark.parametrize("own", ["198.51.100.7", "203.0.113.7"], ids=["bound", "advertised"])
def test_the_agent_is_not_aimed_at_itself(make_agent: MakeAgent, make_candidate: MakeCandidate, own: str) -> None:
    agent = make_agent()
    agent.add_local_candidate(Address("198.51.100.7", 50001), announced=[Address("203.0.113.7", 50001)])
    agent.add_remote_candidates([make_candidate(own, port=50001), make_candidate(own, port=50003)], 0.0)
    assert {pair.path.remote for pair in agent.pairs()} == {Address(own, 50003)}
    assert agent.ignored_candidates == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"component": 2},
        {"transport": "tcp", "port": 9, "tcp_type": "active"},
        {"address": "printer.local"},
        {"address": "www.example.org"},
        {"type": "unheard-of"},
        {"port": 0},
        {"port": 53},
        {"username_fragment": "old0"},
    ],
)
def test_unusable_candidate_is_ignored(
    make_agent: MakeAgent, make_candidate: MakeCandidate, changes: dict[str, Any]
) -> None:
    agent = make_agent()
    agent.add_remote_candidates([make_candidate(**{"address": "203.0.113.1", **changes})], 0.0)
    agent.handle_timeout(0.0)
    assert agent.datagrams_to_send() == []


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.20", "203.0.113.1", "8.8.8.8"])
def test_gateway_on_loopback_reaches_a_browser_by_any_address_of_the_machine(
    make_candidate: MakeCandidate, address: str
) -> None:
    for policy in (ProbePolicy(), ProbePolicy(private_networks=False)):
        assert policy.permits("127.0.0.1", make_candidate(address))
        assert not policy.permits("::1", make_candidate(address))


@pytest.mark.parametrize("address", ["169.254.169.254", "255.255.255.255", "224.0.0.1", "0.0.0.0"])
def test_hostile_address_is_hostile_from_loopback_too(make_candidate: MakeCandidate, address: str) -> None:
    assert not ProbePolicy().permits("127.0.0.1", make_candidate(address))


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "fd00::1", "64:ff9b::a00:1", "2002:a00:1::1"]
)
def test_private_networks_are_a_matter_of_policy(make_candidate: MakeCandidate, address: str) -> None:
    local = "2001:db8::7" if ":" in address else "198.51.100.7"
    assert ProbePolicy(private_networks=True).permits(local, make_candidate(address))
    assert not ProbePolicy(private_networks=False).permits(local, make_candidate(address))


def test_public_address_is_probed_under_every_policy(make_candidate: MakeCandidate) -> None:
    assert ProbePolicy(private_networks=False).permits("198.51.100.7", make_candidate("8.8.8.8"))
    assert ProbePolicy(private_networks=False).permits("2001:db8::7", make_candidate("2606:4700::1"))
    assert ProbePolicy(private_networks=False).permits("2001:db8::7", make_candidate("64:ff9b::8.8.8.8"))


@pytest.mark.parametrize(
    "useless",
    [
        lambda number: {"address": f"2001:db8::{number:x}"},
        lambda number: {"address": f"fe80::{number:x}"},
        lambda number: {"address": f"{number}.local"},
        lambda number: {"address": "203.0.113.1", "transport": "tcp", "port": 2000 + number},
        lambda number: {"address": "203.0.113.1", "component": 2, "port": 2000 + number},
        lambda number: {"address": "203.0.113.1", "port": number},
        lambda number: {"address": f"192.168.1.{number}"},
        lambda number: {"address": "203.0.113.1", "port": 2000 + number, "username_fragment": "old0"},
    ],
    ids=["family", "link-local", "mdns", "tcp", "rtcp", "port", "private", "generation"],
)
def test_candidates_of_no_use_take_no_place_of_a_usable_one(
    make_agent: MakeAgent, make_candidate: MakeCandidate, useless: Callable[[int], dict[str, Any]]
) -> None:
    agent = make_agent(policy=ProbePolicy(private_networks=False))
    for number in range(1, 101):
        agent.add_remote_candidates([make_candidate(**useless(number))], 0.0)
    agent.add_remote_candidates([make_candidate("8.8.8.8")], 0.0)
    assert [pair.remote.address for pair in agent.pairs()] == ["8.8.8.8"]
    assert agent.ignored_candidates == 100


def test_candidate_waits_for_a_local_one_that_suits_it(make_agent: MakeAgent, make_candidate: MakeCandidate) -> None:
    agent = make_agent()
    for number in range(1, 101):
        agent.add_remote_candidates([make_candidate(f"fe80::{number:x}")], 0.0)
    agent.add_remote_candidates([make_candidate("2001:db8::1")], 0.0)
    assert (agent.pairs(), agent.ignored_candidates) == ((), 101)
    agent.add_local_candidate(Address("2001:db8::7", 50002))
    assert [pair.remote.address for pair in agent.pairs()] == ["2001:db8::1"]
    assert agent.ignored_candidates == 100


def test_few_candidates_wait(make_agent: MakeAgent, make_candidate: MakeCandidate) -> None:
    agent = make_agent()
    for number in range(300):
        agent.add_remote_candidates([make_candidate("2001:db8::1", 2000 + number)], 0.0)
    agent.add_local_candidate(Address("2001:db8::7", 50002))
    assert len(agent.pairs()) == MAX_REMOTE_CANDIDATES
    assert agent.ignored_candidates == 300 - MAX_REMOTE_CANDIDATES


def test_candidate_that_comes_again_is_not_counted(make_agent: MakeAgent, make_candidate: MakeCandidate) -> None:
    agent = make_agent()
    for address in ("203.0.113.1", "2001:db8::1") * 2:
        agent.add_remote_candidates([make_candidate(address)], 0.0)
    assert (len(agent.pairs()), agent.ignored_candidates) == (1, 1)


def test_candidates_that_cannot_be_read_are_counted_and_others_are_waited_for(make_agent: MakeAgent) -> None:
    agent = make_agent()
    assert agent.next_timeout() is None
    agent.ignore_candidates(0, 1.0)
    assert agent.next_timeout() is None
    agent.ignore_candidates(3, 2.0)
    assert agent.ignored_candidates == 3
    give_up_at = agent.next_timeout()
    agent.ignore_candidates(1, 5.0)
    assert agent.next_timeout() == give_up_at


def test_few_of_many_named_targets_are_probed_and_each_a_few_times(
    make_agent: MakeAgent, make_candidate: MakeCandidate
) -> None:
    agent = make_agent()
    for number in range(300):
        agent.add_remote_candidates([make_candidate("203.0.113.1", 2000 + number, foundation=str(number))], 0.0)
    assert agent.ignored_candidates == 300 - MAX_REMOTE_CANDIDATES
    sent = []
    while (moment := agent.next_timeout()) is not None:
        agent.handle_timeout(moment)
        sent += [datagram.path.remote for datagram in agent.datagrams_to_send()]
    assert len(set(sent)) == MAX_REMOTE_CANDIDATES
    assert max(map(sent.count, sent)) <= 7


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1 1 udp 1 192.0.2.1 5000 typ host", ""),
        ("1 2 udp 1 192.0.2.1 5000 typ host", "RTCP shares the port of RTP"),
        ("1 1 tcp 1 192.0.2.1 5000 typ host", "over TCP the far end connects, and is not connected to"),
        ("1 1 udp 1 192.0.2.1 5000 typ odd", "its type is unknown"),
        ("1 1 udp 1 0a1b2c3d.local 5000 typ host", "it is a name and no address"),
        ("1 1 udp 1 192.0.2.1 53 typ host", "peers have no such port"),
        ("1 1 udp 1 224.0.0.1 5000 typ host", "no peer has such an address"),
    ],
)
def test_why_a_candidate_is_of_no_use_is_said_in_words(line: str, why: str) -> None:
    assert why_unusable(parse_candidate_untrusted(line)) == why
