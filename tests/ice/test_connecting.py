"""Two agents find a path, whatever the network, the order of signaling, and the other side's kind of ICE."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from glottis.ice import IceState
from glottis.sdp.candidate import Candidate
from glottis.testing.impairments import Impairments
from glottis.wire.address import Address, Path
from glottis.wire.stun import parse_stun_untrusted
from msgspec.structs import replace
from support.seeds import seeds

CALLER = Address("192.0.2.1", 50001)
GATEWAY = Address("198.51.100.7", 50002)
HERE, THERE = Path(CALLER, GATEWAY), Path(GATEWAY, CALLER)
MakeCall = Callable[..., Any]
MakeCandidate = Callable[..., Candidate]


def test_both_agents_select_the_same_path(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    assert (call.caller.agent.selected_path, call.gateway.agent.selected_path) == (HERE, THERE)
    assert call.caller.states == call.gateway.states == [IceState.CHECKING, IceState.CONNECTED, IceState.COMPLETED]


def test_on_a_fast_network_the_first_pair_works_within_one_round_trip(make_call: MakeCall) -> None:
    call = make_call(impairments=Impairments(delay=0.02))
    call.start()
    assert call.network.run(call.is_up, seconds=0.085)


def test_path_is_authenticated_and_usable_from_the_first_check(make_call: MakeCall) -> None:
    call = make_call(impairments=Impairments(delay=0.02))
    call.exchange_parameters()
    call.signal_candidates(of_caller=False)
    assert call.network.run(lambda: call.gateway.authenticated == [THERE], seconds=0.021)
    assert call.gateway.agent.is_authenticated(THERE)
    assert call.gateway.agent.selected_path == THERE
    assert not call.gateway.is_up


def test_stranger_path_is_not_authenticated(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    assert not call.gateway.agent.is_authenticated(Path(GATEWAY, Address(CALLER.host, 50003)))
    assert not call.gateway.agent.is_authenticated(Path(Address(GATEWAY.host, 1), CALLER))


@pytest.mark.parametrize("seed", seeds(60))
def test_agents_connect_through_loss_reordering_and_duplication(make_call: MakeCall, seed: int) -> None:
    impairments = Impairments(loss=0.3 * (seed % 4) / 3, duplication=0.1, delay=0.03, jitter=0.06)
    call = make_call(seed=seed, impairments=impairments, gateway={"lite": seed % 5 == 0})
    call.start()
    assert call.network.run(call.is_nominated, seconds=30), (call.caller.events, call.gateway.events)
    assert call.caller.agent.selected_path == HERE
    assert call.gateway.agent.selected_path == THERE


@pytest.mark.parametrize("lite", [False, True])
def test_controlling_full_agent_nominates_with_a_later_check(make_call: MakeCall, lite: bool) -> None:
    call = make_call(gateway={"lite": lite})
    call.connect()
    checks = [m for m in map(parse_stun_untrusted, (d.data for d in call.caller.sent)) if m.message_class == 0]
    assert not checks[0].use_candidate
    assert checks[-1].use_candidate


def test_lite_agent_sends_no_checks(make_call: MakeCall) -> None:
    call = make_call(gateway={"lite": True})
    call.connect()
    call.run(20)
    assert call.gateway.agent.state is IceState.COMPLETED
    assert all(parse_stun_untrusted(datagram.data).message_class != 0 for datagram in call.gateway.sent)


def test_full_agent_controls_a_lite_one_whatever_it_was_told(make_call: MakeCall) -> None:
    call = make_call(caller={"controlling": False}, gateway={"lite": True, "controlling": True})
    call.connect()
    assert call.caller.agent.controlling
    assert not call.gateway.agent.controlling


@pytest.mark.parametrize("controlling", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_role_conflict_ends_with_one_of_each(make_call: MakeCall, controlling: bool, seed: int) -> None:
    call = make_call(seed=seed, caller={"controlling": controlling}, gateway={"controlling": controlling})
    call.connect()
    assert call.caller.agent.controlling is not call.gateway.agent.controlling
    assert call.caller.agent.selected_path == HERE


def test_gateway_learns_a_caller_that_signals_nothing(make_call: MakeCall) -> None:
    call = make_call()
    call.exchange_parameters()
    call.signal_candidates(of_caller=False)
    assert call.network.run(call.is_nominated, seconds=5)
    assert call.gateway.agent.selected_pair.remote.type == "prflx"


def test_gateway_learns_a_caller_that_signals_only_an_mdns_name(
    make_call: MakeCall, make_candidate: MakeCandidate
) -> None:
    call = make_call()
    call.exchange_parameters()
    call.gateway.agent.add_remote_candidates([make_candidate("1a2b3c.local")], call.now)
    call.signal_candidates(of_caller=False)
    assert call.network.run(call.is_nominated, seconds=5)


def test_learned_candidate_becomes_the_signalled_one(make_call: MakeCall) -> None:
    call = make_call()
    call.exchange_parameters()
    call.signal_candidates(of_caller=False, end=False)
    assert call.network.run(call.is_up, seconds=5)
    call.signal_candidates(of_gateway=False)
    assert call.gateway.agent.selected_pair.remote == call.caller.agent.local_candidates[0]
    assert len(call.gateway.agent.pairs()) == 1


def test_peers_behind_a_translator_learn_its_address_on_both_sides(make_call: MakeCall) -> None:
    inside, outside = Address("10.0.0.2", 50001), Address("203.0.113.9", 61000)
    call = make_call(caller_addresses=[inside], nat={inside: outside})
    call.connect()
    assert call.gateway.agent.selected_path == Path(GATEWAY, outside)
    mapped = call.caller.agent.selected_pair.local
    assert (mapped.type, mapped.address, mapped.port) == ("prflx", *outside)
    assert call.caller.agent.selected_path == Path(inside, GATEWAY)


def test_a_check_from_a_new_address_moves_the_call_after_the_old_path_is_silent(make_call: MakeCall) -> None:
    inside, outside, moved = Address("10.0.0.2", 50001), Address("203.0.113.9", 61000), Address("203.0.113.9", 62000)
    call = make_call(caller_addresses=[inside], nat={inside: outside})
    call.connect()
    call.nat.rebind({inside: moved})
    call.network.attach(call.nat, moved)
    call.run(40)
    assert call.gateway.agent.selected_path == Path(GATEWAY, moved)
    assert call.is_up()


def test_candidates_that_trickle_in_late_are_used(make_call: MakeCall) -> None:
    call = make_call()
    call.exchange_parameters()
    call.run(120)
    assert call.gateway.agent.state is IceState.CHECKING
    call.signal_candidates(of_gateway=False)
    assert call.network.run(call.is_up, seconds=5)


def test_candidates_that_come_before_the_parameters_are_used(make_call: MakeCall) -> None:
    call = make_call()
    call.signal_candidates()
    call.exchange_parameters()
    assert call.network.run(call.is_nominated, seconds=5)


def test_checks_before_the_remote_parameters_are_answered_and_checked_back_later(make_call: MakeCall) -> None:
    call = make_call()
    gateway = call.gateway.agent
    call.caller.agent.set_remote_parameters(gateway.local_ufrag, gateway.local_pwd, now=0.0)
    call.signal_candidates(of_caller=False)
    call.run(1)
    assert call.caller.is_up
    assert gateway.state is IceState.NEW
    assert call.gateway.authenticated == [THERE]
    gateway.set_remote_parameters(call.caller.agent.local_ufrag, call.caller.agent.local_pwd, now=call.now)
    assert call.network.run(call.is_nominated, seconds=5)


@pytest.mark.parametrize("known_before", [True, False])
def test_candidates_of_an_older_generation_are_dropped(make_call: MakeCall, known_before: bool) -> None:
    call = make_call()
    old = replace(call.caller.agent.local_candidates[0], username_fragment="old0")
    if known_before:
        call.gateway.agent.add_remote_candidates([old], call.now)
    call.exchange_parameters()
    if not known_before:
        call.gateway.agent.add_remote_candidates([old], call.now)
    call.run(3)
    assert call.gateway.agent.ignored_candidates == 1
    assert call.gateway.sent == []


def test_best_of_several_paths_is_nominated(make_call: MakeCall) -> None:
    caller = [Address("2001:db8::1", 50001), CALLER]
    gateway = [Address("2001:db8::2", 50002), GATEWAY]
    call = make_call(caller_addresses=caller, gateway_addresses=gateway)
    call.start()
    assert len(call.caller.agent.pairs()) == 2  # one for each version of IP
    call.connect()
    assert call.caller.agent.selected_path == Path(caller[0], gateway[0])
    assert call.gateway.agent.selected_path == Path(gateway[0], caller[0])


def test_path_that_does_not_work_is_passed_over(make_call: MakeCall, make_candidate: MakeCandidate) -> None:
    call = make_call()
    for agent in (call.caller.agent, call.gateway.agent):
        agent.add_remote_candidates([make_candidate("192.0.2.99", priority=2**31 - 1)], 0.0)
    call.connect()
    assert call.caller.agent.selected_path == HERE


def test_addresses_of_a_peer_are_checked_side_by_side_though_it_has_one_foundation_for_all(
    make_call: MakeCall, make_candidate: MakeCandidate
) -> None:
    """As media servers have it, which are lite: no check of theirs tells which address works."""
    call = make_call(caller={"lite": True})
    call.exchange_parameters()
    for host, priority in (("192.0.2.99", 2), (CALLER.host, 1)):
        candidate = make_candidate(host, CALLER.port, priority=priority, foundation="udpcandidate")
        call.gateway.agent.add_remote_candidates([candidate], 0.0)
    assert call.network.run(call.is_up, seconds=0.5)


def test_checks_are_paced_and_retransmitted_with_growing_pauses(
    make_call: MakeCall, make_candidate: MakeCandidate
) -> None:
    call = make_call()
    call.exchange_parameters()
    for number in range(4):
        call.gateway.agent.add_remote_candidates([make_candidate(f"203.0.113.{number}")], 0.0)
    sent_at: dict[Address, list[float]] = {}
    call.network.send = lambda datagram: sent_at.setdefault(datagram.path.remote, []).append(call.now)
    call.run(14)
    assert sorted(times[0] for times in sent_at.values()) == pytest.approx([0.0, 0.05, 0.1, 0.15])
    for times in sent_at.values():
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert pauses == pytest.approx([0.5, 1.0, 2.0, 2.0, 2.0, 2.0])


def test_agent_without_any_answer_fails_when_its_patience_ends(
    make_call: MakeCall, make_candidate: MakeCandidate
) -> None:
    call = make_call()
    call.exchange_parameters()
    call.gateway.agent.add_remote_candidates([make_candidate("203.0.113.1")], 0.0)
    call.gateway.agent.end_of_candidates(0.0)
    call.run(14.9)
    assert call.gateway.agent.state is IceState.CHECKING
    call.run(0.2)
    assert call.gateway.agent.state is IceState.FAILED
    assert call.gateway.agent.next_timeout() is None
    assert call.gateway.agent.selected_path is None


def test_end_of_candidates_without_any_candidate_still_waits_for_checks(make_call: MakeCall) -> None:
    call = make_call()
    call.exchange_parameters()
    call.gateway.agent.end_of_candidates(0.0)
    call.run(10)
    call.signal_candidates(of_caller=False)
    assert call.network.run(call.is_nominated, seconds=3)


def test_closed_agent_is_silent(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    call.gateway.agent.close()
    sent = len(call.gateway.sent)
    call.run(10)
    assert len(call.gateway.sent) == sent
    assert call.gateway.states[-1] is IceState.CLOSED
    assert not call.gateway.agent.is_authenticated(THERE)
