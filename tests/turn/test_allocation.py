"""An address is lent, kept and given back, whatever the server makes of its nonces."""

from collections.abc import Callable

import pytest
from glottis.contracts.errors import LocalError
from glottis.testing.impairments import Impairments
from glottis.turn import Allocated, AllocationState, Closed, Failed
from glottis.wire.address import Address
from support.seeds import seeds
from support.turn_server import ALLOCATE, MD5_ONLY, REFRESH, SHA256_ONLY
from turn.conftest import CLIENT, RELAY, SERVER, Scene

COOKIE = b"obMatJos2"
MakeScene = Callable[..., Scene]


def test_server_lends_an_address_and_says_how_it_sees_the_client(scene: MakeScene) -> None:
    assert scene().allocate() == Allocated(Address(RELAY, 49152), CLIENT, 600)


def test_allocation_outlives_its_lifetime_and_keeps_the_way_open(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.run(3600)
    assert one.allocation.state is AllocationState.ALLOCATED
    assert one.server.leases[CLIENT].expires_at > one.network.now
    assert one.server.requests[REFRESH] == 3600 // 25


def test_short_lifetime_is_renewed_in_time(scene: MakeScene) -> None:
    one = scene(server={"lifetime": 10})
    one.allocate()
    one.run(120)
    assert one.allocation.state is AllocationState.ALLOCATED


def test_no_lifetime_makes_a_client_refresh_more_than_once_a_second(scene: MakeScene) -> None:
    one = scene(server={"lifetime": 0})
    one.start()
    one.run(10)
    assert one.server.requests[REFRESH] <= 11


def test_closed_allocation_is_released(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.allocation.close(one.network.now)
    one.run(1)
    assert one.client.events[-1] == Closed()
    assert one.server.leases[CLIENT].expires_at <= one.network.now
    assert one.allocation.next_timeout() is None


def test_release_does_not_wait_for_ever_for_a_dead_server(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.network.unreachable.add(SERVER)
    one.allocation.close(one.network.now)
    one.run(12)
    assert one.client.events[-1] == Closed()


def test_allocation_that_is_under_way_is_released_too(scene: MakeScene) -> None:
    one = scene(impairments=Impairments(delay=0.1))
    one.allocation.start(0.0)
    one.run(0.35)  # the second request has arrived, and its answer has not
    assert one.server.leases
    one.allocation.close(one.network.now)
    one.run(1)
    assert one.client.events == [Closed()]
    assert one.server.leases[CLIENT].expires_at <= one.network.now


def test_nothing_is_done_after_the_end(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.allocation.close(one.network.now)
    one.allocation.close(one.network.now)
    one.run(1)
    for late in (b"\x40\0\0\0", b"junk"):
        one.allocation.handle_datagram(late, one.network.now)
    one.allocation.handle_timeout(one.network.now + 1000)
    assert one.client.events[1:] == [Closed()]
    assert one.client.datagrams_to_send() == []


def test_over_a_stream_nothing_is_sent_again(scene: MakeScene) -> None:
    one = scene(reliable=True)
    one.network.unreachable.add(SERVER)
    one.allocation.start(0.0)
    sent = len(one.allocation.datagrams_to_send())
    one.run(39)
    assert one.client.events == []
    one.run(1)
    assert one.client.events == [Failed("the server does not answer")]
    assert (sent, one.server.requests[ALLOCATE]) == (1, 0)


def test_nothing_is_sent_after_the_end_nor_before_the_beginning(scene: MakeScene) -> None:
    one = scene()
    one.allocation.close(0.0)
    one.say(b"hello")
    assert one.client.datagrams_to_send() == []
    assert one.client.events == [Closed()]
    assert one.allocation.dropped_datagrams == 1
    with pytest.raises(LocalError):
        one.allocation.start(0.0)


@pytest.mark.parametrize("seed", seeds(8))
def test_losses_do_not_end_an_allocation(scene: MakeScene, seed: int) -> None:
    one = scene()
    one.allocate()
    one.network.impairments = Impairments(loss=0.3, delay=0.05)
    one.network.rng.seed(seed)
    one.run(600)
    assert one.client.told(Failed) == []


def test_dead_server_is_given_up(scene: MakeScene) -> None:
    one = scene()
    one.network.unreachable.add(SERVER)
    assert one.fail() == Failed("the server does not answer")
    assert one.network.now < 180


def test_server_that_dies_is_noticed(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.network.unreachable.add(SERVER)
    one.run(110)
    assert one.client.events[-1] == Failed("the server does not answer")
    assert one.allocation.relayed is None


def test_server_that_relays_is_not_given_up(scene: MakeScene) -> None:
    """Whatever becomes of its answers."""
    one = scene(server={"replies": lambda data: [] if data[1] == REFRESH else [data]})
    one.allocate()
    one.say(b"hello")
    for _ in range(100):
        one.answer(b"still there")
        one.run(5)
    assert one.client.told(Failed) == []


def test_server_that_has_forgotten_the_allocation_is_noticed(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.server.leases.clear()
    one.run(30)
    failed = one.client.events[-1]
    assert isinstance(failed, Failed)
    assert failed.code == 437


def test_server_that_has_forgotten_the_allocation_is_noticed_at_once_by_who_doubts(scene: MakeScene) -> None:
    one = scene()
    one.allocation.doubt(one.network.now)  # there is nothing to be doubted yet
    one.allocate()
    one.server.leases.clear()
    for _ in range(2):
        one.allocation.doubt(one.network.now)
    one.run(0.1)
    assert one.client.told(Failed)


@pytest.mark.parametrize("reliable", [False, True])
def test_silent_server_is_lost_within_seconds_to_who_doubts(scene: MakeScene, reliable: bool) -> None:
    one = scene(reliable=reliable)
    one.allocate()
    one.run(24.9)
    one.network.unreachable |= {SERVER}
    one.run(0.2)  # the refresh in its time is under way, which would take its time
    one.allocation.doubt(one.network.now)
    one.run(5)
    assert one.client.told(Failed) == []
    one.allocation.doubt(one.network.now)
    one.run(1)
    assert one.client.told(Failed) == [Failed("the server does not answer", None)]


def test_server_that_still_relays_is_not_lost_because_an_answer_is(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.say(b"hello")
    one.run(1)
    one.network.unreachable |= {SERVER}
    one.allocation.doubt(one.network.now)
    one.run(2)
    one.network.unreachable.clear()
    one.answer(b"still there")
    one.run(1)
    one.network.unreachable |= {SERVER}
    one.run(10)
    assert one.client.told(Failed) == []


def test_what_an_earlier_client_left_behind_is_released(scene: MakeScene) -> None:
    """A gateway that starts anew has the same port, and its old allocation."""
    before, one = scene(), scene()
    before.allocate()
    one.server.leases = before.server.leases
    one.allocate()
    assert one.server.requests[ALLOCATE] == 3


def test_allocation_of_somebody_else_is_no_reason_to_go_on(scene: MakeScene) -> None:
    one = scene(server={"refuse": lambda message: 437 if message.method == ALLOCATE else None})
    assert one.fail().code == 437


# Nonces and realms


def test_stale_nonces_are_renewed_while_the_allocation_lives(scene: MakeScene) -> None:
    one = scene(server={"nonce_uses": 2})
    one.allocate()
    one.talk(20)
    one.run(600)
    assert one.client.told(Failed) == []
    assert one.peer.heard[-1][0] == b"hello"


def test_server_that_finds_every_nonce_stale_is_not_asked_for_ever(scene: MakeScene) -> None:
    one = scene(server={"nonce_uses": 0})
    assert one.fail() == Failed("the server asks for credentials again and again", 438)
    assert one.server.requests[ALLOCATE] == 5


def test_realm_may_change(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.server.realm = b"example.net"
    one.run(120)
    assert one.client.told(Failed) == []
    assert one.server.leases[CLIENT].expires_at > one.network.now + 500


UNKNOWN = bytes((0, 9, 0, 2, 1, 2, 0, 0))


@pytest.mark.parametrize(
    "algorithms", [SHA256_ONLY, MD5_ONLY, SHA256_ONLY + MD5_ONLY, MD5_ONLY + SHA256_ONLY, UNKNOWN + SHA256_ONLY]
)
def test_password_algorithm_is_the_first_that_is_known(scene: MakeScene, algorithms: bytes) -> None:
    one = scene(server={"algorithms": algorithms, "nonce_prefix": COOKIE + b"gAAA"})
    one.allocate()


def test_release_is_believed_with_a_stale_nonce(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.server.renew_nonce()
    one.allocation.close(one.network.now)
    one.run(1)
    assert one.server.leases[CLIENT].expires_at <= one.network.now
    assert one.client.events[-1] == Closed()


def test_server_that_asks_for_no_credentials_gets_none(scene: MakeScene) -> None:
    one = scene(credentials=None, server={"is_open": True})
    one.allocate()
