"""Which of several nominated pairs a controlled agent sends by. A lite one believes checks: they are all it takes."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.ice import IceAgent
from glottis.wire.address import Address, Path

GATEWAY = Address("198.51.100.7", 50002)
HIGH, LOW = Path(GATEWAY, Address("192.0.2.1", 50001)), Path(GATEWAY, Address("192.0.2.1", 50003))


class Peer:
    """The controlling end, as far as the agent sees it."""

    def __init__(self, agent: IceAgent, make_check: Callable[..., bytes]) -> None:
        self.agent = agent
        self._make_check = make_check

    def nominate(self, path: Path, now: float) -> None:
        priority = 2 if path is HIGH else 1
        check = self._make_check(self.agent, use_candidate=b"", priority=priority.to_bytes(4))
        self.agent.handle_datagram(check, path, now)
        self.agent.datagrams_to_send()

    def talk(self, path: Path, start: float, end: float) -> None:
        for packet in range(round((end - start) / 0.02)):
            self.agent.handle_traffic(path, start + packet * 0.02)


@pytest.fixture
def peer(make_agent: Callable[..., IceAgent], make_check: Callable[..., bytes]) -> Peer:
    return Peer(make_agent(lite=True), make_check)


@pytest.mark.parametrize(("first", "second"), [(HIGH, LOW), (LOW, HIGH)])
def test_pair_nominated_last_is_used_whatever_its_priority(peer: Peer, first: Path, second: Path) -> None:
    for now in (0.0, 2.5, 5.0, 7.5):
        peer.nominate(first, now)
    peer.talk(first, 0.0, 8.0)
    peer.nominate(second, 8.0)
    assert peer.agent.selected_path == second
    peer.talk(first, 8.0, 8.1)  # what was on its way
    assert peer.agent.selected_path == second
    peer.nominate(first, 20.0)
    assert peer.agent.selected_path == first


def test_of_pairs_nominated_at_once_the_peers_media_chooses(peer: Peer) -> None:
    for now in (0.0, 0.1, 0.2):
        peer.nominate(HIGH, now)
        peer.nominate(LOW, now)
    assert peer.agent.selected_path == HIGH
    peer.talk(LOW, 0.3, 1.0)
    assert peer.agent.selected_path == LOW
    peer.talk(HIGH, 1.0, 1.04)  # two that were overtaken
    peer.talk(LOW, 1.04, 2.0)
    assert peer.agent.selected_path == LOW
    peer.talk(HIGH, 2.0, 3.0)
    assert peer.agent.selected_path == HIGH


def test_media_by_two_paths_at_a_time_moves_nothing(peer: Peer) -> None:
    peer.nominate(HIGH, 0.0)
    peer.nominate(LOW, 0.0)
    selected = set()
    for packet in range(200):
        for path in (LOW, HIGH):
            peer.agent.handle_traffic(path, 0.02 * packet)
            selected.add(peer.agent.selected_path)
    assert len(selected) == 1


def test_media_by_a_path_that_does_not_work_yet_is_no_silence(
    make_call: Callable[..., Any], make_check: Callable[..., bytes]
) -> None:
    call = make_call()
    call.connect()
    gateway, start = call.gateway.agent, call.now
    call.run(1)
    gateway.handle_datagram(make_check(gateway, use_candidate=b""), LOW, call.now)  # and nobody answers there
    Peer(gateway, make_check).talk(LOW, call.now, start + 2.0)
    assert gateway.selected_path == HIGH
    assert call.gateway.is_up


def test_media_does_not_authenticate_a_path(peer: Peer) -> None:
    peer.nominate(HIGH, 0.0)
    peer.talk(LOW, 0.1, 1.0)
    assert not peer.agent.is_authenticated(LOW)
    assert peer.agent.selected_path == HIGH


def test_copy_of_an_overheard_check_draws_the_media_of_a_lite_agent_nowhere(
    peer: Peer, make_check: Callable[..., bytes]
) -> None:
    overheard = make_check(peer.agent, use_candidate=b"")
    for now in range(30):
        peer.agent.handle_datagram(overheard if now == 0 else make_check(peer.agent, use_candidate=b""), HIGH, now)
        peer.agent.handle_datagram(overheard, LOW, now + 0.5)
        assert peer.agent.selected_path == HIGH
    assert not peer.agent.is_authenticated(LOW)


def test_copy_of_a_check_by_a_path_that_was_left_draws_no_media(
    make_agent: Callable[..., IceAgent], make_check: Callable[..., bytes]
) -> None:
    agent, elsewhere = make_agent(lite=True), Path(GATEWAY, Address("203.0.113.66", 6666))
    overheard = make_check(agent, use_candidate=b"")
    agent.handle_datagram(overheard, LOW, 0.0)
    for now in range(5, 100, 5):
        agent.handle_datagram(make_check(agent, use_candidate=b""), HIGH, float(now))
    assert [pair.path for pair in agent.pairs()] == [HIGH]
    agent.handle_datagram(overheard, elsewhere, 100.0)
    assert agent.selected_path == HIGH
    assert not agent.is_authenticated(elsewhere)


def test_copy_that_is_faster_than_the_check_itself_does_not_keep_what_it_has_drawn(
    peer: Peer, make_check: Callable[..., bytes]
) -> None:
    peer.nominate(HIGH, 0.0)
    for now in range(1, 30):
        check = make_check(peer.agent, use_candidate=b"")
        peer.agent.handle_datagram(check, LOW, now)
        peer.agent.handle_datagram(check, HIGH, now + 0.01)
        peer.talk(HIGH, now + 0.02, now + 0.2)
        assert peer.agent.selected_path == HIGH


def test_peer_that_has_one_transaction_id_for_all_its_checks_is_followed(
    peer: Peer, make_check: Callable[..., bytes]
) -> None:
    check = make_check(peer.agent, use_candidate=b"")
    for now in range(20):
        peer.agent.handle_datagram(check, HIGH, now)
    peer.agent.handle_datagram(check, LOW, 20.0)
    assert peer.agent.selected_path == LOW
