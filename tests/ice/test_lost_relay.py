"""A relay that is lent no more: data takes another path at once, or the loss is told at once."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.ice import Credentials, IceAgent, IceState, IceTiming, IceTransport, PathReleased
from glottis.testing.impairments import Impairments
from glottis.wire.address import Address, Path

HOST, RELAYED, CALLER = Address("198.51.100.7", 50002), Address("203.0.113.2", 49152), Address("192.0.2.1", 50001)
MakeCall = Callable[..., Any]


@pytest.mark.parametrize("seconds", [1, 100])
def test_another_path_takes_over_at_once_however_old(
    make_call: MakeCall, make_check: Callable[..., bytes], seconds: int
) -> None:
    hasty = {"timing": IceTiming(pacing=0.001)}  # so that both paths are checked before one is nominated
    call = make_call(
        gateway_addresses=(HOST, RELAYED), caller=hasty, gateway=hasty, impairments=Impairments(delay=0.02)
    )
    call.connect()
    gateway = call.gateway.agent
    lost = gateway.selected_path
    other = RELAYED if lost.local == HOST else HOST
    for _ in range(seconds):  # as browsers do, the caller goes on to check each path
        call.run(1)
        gateway.handle_datagram(make_check(gateway), Path(other, CALLER), call.now)
    gateway.remove_relayed_candidate(lost.local, call.now)
    assert gateway.selected_path == Path(other, CALLER)
    call.run(0.3)
    assert call.gateway.is_up
    assert gateway.selected_pair.path == Path(other, CALLER)
    assert PathReleased(lost) in call.gateway.events


def test_without_another_path_the_loss_is_a_failure(make_call: MakeCall) -> None:
    call = make_call(gateway_addresses=(HOST, RELAYED))
    call.network.unreachable.add(HOST)
    call.connect()
    call.run(20)
    call.gateway.agent.remove_relayed_candidate(RELAYED, call.now)
    assert call.gateway.agent.state is IceState.FAILED
    assert call.gateway.agent.selected_path is None


def test_agent_that_has_not_connected_yet_waits_for_another_candidate(make_call: MakeCall) -> None:
    call = make_call(gateway_addresses=(RELAYED,))
    call.start()
    call.gateway.agent.remove_relayed_candidate(RELAYED, call.now)
    call.run(5)
    assert call.gateway.agent.state is IceState.CHECKING
    call.gateway.agent.add_local_candidate(HOST)
    call.network.attach(call.gateway, HOST)
    assert call.network.run(call.is_up, seconds=5)


def test_restart_does_without_it(make_agent: Callable[..., IceAgent]) -> None:
    ice = IceTransport(make_agent(HOST))
    relayed = ice.add_relayed_candidate(RELAYED, mapped=None, server="turn.example")
    assert relayed in ice.local_candidates
    ice.close()
    ice.remove_relayed_candidate(RELAYED, 1.0)
    ice.restart(Credentials("another", "password that nobody asks for"), 1.0)
    assert ice.state is IceState.CLOSED
    ice = IceTransport(make_agent(HOST))
    ice.add_relayed_candidate(RELAYED, mapped=None, server="turn.example")
    ice.remove_relayed_candidate(RELAYED, 1.0)
    ice.restart(Credentials("another", "password of the next generation"), 2.0)
    assert [candidate.type for candidate in ice.local_candidates] == ["host"]
