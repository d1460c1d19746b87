"""RFC 7675: who is gone is noticed, and who comes back is welcome."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from glottis.ice import IceState
from glottis.testing.impairments import Impairments
from glottis.wire.address import Address, Path
from glottis.wire.stun import parse_stun_untrusted
from support.seeds import seeds

GATEWAY, CALLER = Address("198.51.100.7", 50002), Address("192.0.2.1", 50001)
THERE = Path(GATEWAY, CALLER)
MakeCall = Callable[..., Any]


def test_consent_is_asked_every_five_seconds_more_or_less(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    asked_at: list[float] = []
    carry = call.network.send

    def record(datagram: Any) -> None:
        if datagram.path.local == CALLER and parse_stun_untrusted(datagram.data).message_class == 0:
            asked_at.append(call.now)
        carry(datagram)

    call.network.send = record
    call.run(200)
    pauses = [later - earlier for earlier, later in pairwise(asked_at)]
    assert len(pauses) > 30
    assert all(4.0 <= pause <= 6.0 for pause in pauses)
    assert max(pauses) - min(pauses) > 1.0
    assert call.is_up()


@pytest.mark.parametrize("lite", [False, True])
def test_vanished_peer_is_reported_disconnected_and_then_failed(make_call: MakeCall, lite: bool) -> None:
    call = make_call(gateway={"lite": lite})
    call.connect()
    call.run(20)
    call.caller.deaf = True
    gone_at, patience = call.now, 11.5 if lite else 8.1
    assert call.network.run(lambda: call.gateway.agent.state is IceState.DISCONNECTED, seconds=patience)
    assert call.network.run(lambda: call.gateway.agent.state is IceState.FAILED, seconds=40)
    assert 22 < call.now - gone_at < 32
    assert "consent" in call.gateway.events[-1].reason
    assert call.gateway.agent.selected_path is None
    assert call.gateway.agent.next_timeout() is None


def test_nothing_is_sent_after_consent_has_expired(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    call.caller.deaf = True
    call.run(40)
    sent = len(call.gateway.sent)
    call.caller.deaf = False
    call.run(60)
    assert len(call.gateway.sent) == sent


@pytest.mark.parametrize("lite", [False, True])
def test_peer_that_comes_back_is_connected_again(make_call: MakeCall, lite: bool) -> None:
    call = make_call(gateway={"lite": lite})
    call.connect()
    call.caller.deaf = True
    call.run(15)
    assert call.gateway.agent.state is IceState.DISCONNECTED
    call.caller.deaf = False
    call.run(7)
    assert call.gateway.agent.state is IceState.COMPLETED
    assert call.gateway.states.count(IceState.DISCONNECTED) == 1


@pytest.mark.parametrize("seconds", [number / 2 for number in range(1, 13)])
def test_peer_whose_media_stops_is_missed_within_two_seconds_whatever_it_was_asked_before(
    make_call: MakeCall, seconds: float
) -> None:
    call = make_call()
    call.connect()
    for _ in range(round(seconds / 0.02)):
        call.run(0.02)
        call.gateway.agent.handle_traffic(THERE, call.now)
    call.caller.deaf = True
    assert call.network.run(lambda: call.gateway.agent.state is IceState.DISCONNECTED, seconds=2.1)


def test_traffic_is_a_sign_of_life_but_no_consent(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    call.caller.deaf = True
    for _ in range(20):
        call.run(1)
        call.gateway.agent.handle_traffic(THERE, call.now)
    assert call.gateway.agent.state is IceState.COMPLETED
    for _ in range(15):
        call.run(1)
        call.gateway.agent.handle_traffic(THERE, call.now)
    assert call.gateway.agent.state is IceState.FAILED


@pytest.mark.parametrize("seed", seeds(10))
def test_bad_network_does_not_cost_consent(make_call: MakeCall, seed: int) -> None:
    call = make_call(seed=seed, impairments=Impairments(loss=0.3, delay=0.03, jitter=0.03))
    call.start()
    call.run(600)
    assert IceState.FAILED not in (call.caller.agent.state, call.gateway.agent.state)


@pytest.mark.slow
def test_peers_that_stay_are_connected_for_hours(make_call: MakeCall) -> None:
    call = make_call()
    call.connect()
    call.network.delivered.clear()
    call.run(2 * 3600)
    assert call.is_up()
    assert len(call.network.delivered) < 2 * 2 * 2 * 3600 / 4
    assert call.gateway.states.count(IceState.DISCONNECTED) == 0
    assert call.gateway.agent.selected_path == THERE


# A goodbye that the owner has heard elsewhere


def test_peer_that_has_said_goodbye_and_does_not_answer_is_told_as_gone_after_a_second_by_name(
    make_call: MakeCall,
) -> None:
    call = make_call()
    call.connect()
    call.run(3.3)
    call.caller.deaf = True
    call.gateway.agent.handle_traffic(THERE, call.now)
    call.gateway.agent.handle_goodbye(call.now)
    asked, said_at = len(call.gateway.sent), call.now
    call.run(0.01)
    assert len(call.gateway.sent) == asked + 1  # at once
    call.gateway.agent.handle_traffic(THERE, call.now)  # a packet that was overtaken
    assert call.network.run(lambda: call.gateway.agent.state is IceState.DISCONNECTED, seconds=2)
    assert call.now - said_at == pytest.approx(1.0, abs=0.01)
    assert call.gateway.agent.reason.startswith("bye")
    call.caller.deaf = False
    call.run(7)
    assert call.is_up()


@pytest.mark.parametrize("answers", [True, False])
def test_peer_that_has_said_goodbye_of_a_stream_only_stays_connected_by_its_answer_or_its_media(
    make_call: MakeCall, answers: bool
) -> None:
    call = make_call()
    call.connect()
    call.run(3.3)
    call.gateway.agent.handle_traffic(THERE, call.now)
    call.gateway.agent.handle_goodbye(call.now)
    call.caller.deaf = not answers
    for _ in range(40):
        call.run(0.05)
        if not answers:
            call.gateway.agent.handle_traffic(THERE, call.now)
    assert IceState.DISCONNECTED not in call.gateway.states


@pytest.mark.parametrize("seed", seeds(10))
def test_goodbyes_one_upon_the_other_cost_one_question_a_second_and_a_bad_network_no_call(
    make_call: MakeCall, seed: int
) -> None:
    call = make_call(seed=seed, impairments=Impairments(loss=0.1, delay=0.03, jitter=0.03))
    call.connect()
    call.run(6)
    sent = len(call.gateway.sent)
    for _ in range(500):
        call.gateway.agent.handle_goodbye(call.now)
        call.run(0.01)
    assert len(call.gateway.sent) - sent < 60
    call.run(2)
    assert IceState.DISCONNECTED not in call.gateway.states
