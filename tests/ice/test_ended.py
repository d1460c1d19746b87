"""An agent that has failed or is closed stays so, whatever comes; what is there already is not added twice."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.ice import IceState
from glottis.testing.impairments import Impairments
from glottis.wire.address import Address
from glottis.wire.stun import MessageClass, build_stun

MakeCall = Callable[..., Any]


@pytest.fixture
def failed(make_call: MakeCall) -> Any:
    call = make_call(impairments=Impairments(loss=1.0))
    call.start()
    call.run(30)
    assert call.gateway.agent.state is IceState.FAILED
    return call


def test_what_comes_to_a_failed_agent_changes_nothing(failed: Any, make_candidate: Callable[..., Any]) -> None:
    agent, peer = failed.gateway.agent, failed.caller.agent
    agent.set_remote_parameters(peer.local_ufrag, peer.local_pwd, now=failed.now)
    agent.add_remote_candidates([make_candidate("192.0.2.77")], failed.now)
    agent.handle_timeout(failed.now + 1)
    assert agent.state is IceState.FAILED
    assert agent.next_timeout() is None
    assert agent.datagrams_to_send() == []


def test_an_address_is_one_candidate_however_often_it_is_added(make_call: MakeCall) -> None:
    agent, address = make_call().gateway.agent, Address("198.51.100.7", 50002)
    assert agent.add_local_candidate(address) is agent.add_local_candidate(address)
    assert len(agent.local_candidates) == 1


def test_keep_alives_of_older_agents_are_neither_answered_nor_refused(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    call.gateway.agent.datagrams_to_send()
    keep_alive = build_stun(MessageClass.INDICATION, bytes(12), [])
    path = call.gateway.agent.selected_path
    dropped = call.gateway.agent.dropped_datagrams
    call.gateway.agent.handle_datagram(keep_alive, path, call.now)
    assert call.gateway.agent.dropped_datagrams == dropped
    assert call.gateway.agent.datagrams_to_send() == []
