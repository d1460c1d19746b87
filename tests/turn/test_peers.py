"""Permissions and channels: what is sent to a peer arrives, in the shortest form that the server knows by then."""

from collections.abc import Callable

import pytest
from glottis.testing.impairments import Impairments
from glottis.turn import DEFAULT_TIMING, AllocationState, Failed
from glottis.turn.peers import CHANNEL_AFTER, MAX_CHANNELS, MAX_HELD, MAX_HELD_BYTES, MAX_PERMISSIONS, MAX_SHARE, Peers
from glottis.wire.address import Address
from glottis.wire.stun import StunMessage
from support.turn_server import CHANNEL_BIND, CREATE_PERMISSION
from turn.conftest import PEER, Scene

MakeScene = Callable[..., Scene]
DISTANT = Impairments(delay=0.05)


def test_what_is_sent_reaches_the_peer_from_the_relayed_address(scene: MakeScene) -> None:
    one = scene()
    allocated = one.allocate()
    one.say(b"hello")
    one.run(1)
    assert one.peer.heard == [(b"hello", allocated.relayed)]


def test_what_the_peer_answers_is_received(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.say(b"hello")
    one.run(1)
    one.answer(b"hi")
    one.run(1)
    assert one.heard == [b"hi"]


def test_empty_datagrams_are_relayed_in_both_forms(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    for _ in range(CHANNEL_AFTER + 3):
        one.say(b"")
        one.answer(b"")
        one.run(0.1)
    assert len(one.peer.heard) == CHANNEL_AFTER + 3
    assert one.heard == [b""] * (CHANNEL_AFTER + 2)  # the first came before the permission


def test_first_datagrams_wait_for_the_permission_in_order_and_one_is_asked_for(scene: MakeScene) -> None:
    one = scene(impairments=DISTANT)
    one.allocate()
    for number in range(MAX_HELD + 2):
        one.say(bytes((number,)))
    one.run(1)
    assert [data for data, _ in one.peer.heard] == [bytes((number,)) for number in range(MAX_HELD)]
    assert one.allocation.dropped_datagrams == 2
    assert one.server.requests[CREATE_PERMISSION] == 1


def test_what_waits_for_permissions_is_bounded_together(scene: MakeScene) -> None:
    one = scene(impairments=DISTANT)
    one.allocate()
    for number in range(200):
        one.say(bytes(1500), Address(f"203.0.113.{number}", 4000))
    assert one.allocation.dropped_datagrams == 200 - MAX_HELD_BYTES // 1500


def test_peer_that_much_is_sent_to_gets_a_channel(scene: MakeScene) -> None:
    one = scene(impairments=DISTANT)
    one.allocate()
    one.talk(100)
    assert one.server.requests[CHANNEL_BIND] == 1
    assert one.server.relayed["channel"] > 80
    one.answer(b"by the channel")
    one.run(1)
    assert one.heard == [b"by the channel"]


def test_long_call_keeps_its_permission_and_channel(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.talk(900, every=1)
    one.run(1)
    assert len(one.peer.heard) == 900
    assert one.server.discarded == 0
    assert one.server.relayed["channel"] >= 900 - CHANNEL_AFTER


def test_unused_permissions_and_channels_lapse_and_come_back_when_they_are_needed(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.talk(20)
    one.run(620)
    asked = dict(one.server.requests)
    one.run(400)
    assert one.server.requests[CREATE_PERMISSION] == asked[CREATE_PERMISSION]
    assert one.server.requests[CHANNEL_BIND] == asked[CHANNEL_BIND]
    one.talk(20)
    assert len(one.peer.heard) == 40
    assert one.server.discarded == 0


def test_peer_that_comes_back_while_its_number_rests_gets_that_number(scene: MakeScene) -> None:
    """Another one would mean two channels for one peer, which the server refuses (RFC 8656 §12)."""
    one = scene()
    one.allocate()
    one.talk(20)
    one.run(700)
    one.talk(20)
    assert len(next(iter(one.server.leases.values())).channels) == 1
    assert len(one.peer.heard) == 40


def test_number_means_nobody_else_before_it_has_rested(scene: MakeScene) -> None:
    """The server asserts it."""
    one = scene(impairments=Impairments(delay=0.001))
    one.allocate()
    for turn in range(12):
        one.run(90)
        for number in range(2):
            peer = Address("203.0.113.9", 1024 + 100 * turn + number)
            for _ in range(CHANNEL_AFTER):
                one.say(b"hello", peer)
                one.run(0.01)
    assert one.server.requests[CHANNEL_BIND] >= 24


def test_without_channels_datagrams_go_in_the_long_form(scene: MakeScene) -> None:
    one = scene(server={"refuse": lambda message: 508 if message.method == CHANNEL_BIND else None})
    one.allocate()
    one.talk(200)
    one.run(1)
    assert len(one.peer.heard) == 200
    assert one.server.requests[CHANNEL_BIND] <= 1 + 200 // CHANNEL_AFTER


class Call:
    """Who has a share of the permissions."""


def test_a_call_that_floods_addresses_takes_no_permission_from_another(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    flooding, other = Call(), Call()
    for number in range(2 * MAX_PERMISSIONS):
        one.allocation.send(b"?", Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1), 1.0, flooding)
    one.run(1)
    assert one.server.requests[CREATE_PERMISSION] <= MAX_SHARE + 1
    one.allocation.send(b"hello", PEER, one.network.now, other)
    one.run(1)
    assert one.peer.heard[-1][0] == b"hello"


def test_a_share_is_free_again_once_its_permissions_lapse(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    call = Call()
    for number in range(MAX_SHARE):
        one.allocation.send(b"?", Address(f"10.0.0.{number}", 1), one.network.now, call)
    one.run(1)
    one.allocation.send(b"too many", PEER, one.network.now, call)
    one.run(600)
    one.allocation.send(b"again", PEER, one.network.now, call)
    one.run(1)
    assert [data for data, _ in one.peer.heard] == [b"again"]


def test_forbidden_peer_is_asked_for_once_a_minute(scene: MakeScene) -> None:
    one = scene(server={"refuse": lambda message: 403 if message.method == CREATE_PERMISSION else None})
    one.allocate()
    one.talk(1000, every=0.1)
    assert one.server.requests[CREATE_PERMISSION] == 2
    assert one.peer.heard == []
    assert one.allocation.dropped_datagrams >= 990
    assert one.allocation.state is AllocationState.ALLOCATED


@pytest.mark.parametrize("method", [CREATE_PERMISSION, CHANNEL_BIND])
def test_permission_or_channel_of_a_forgotten_allocation_tells_of_it(scene: MakeScene, method: int) -> None:
    def forget(message: StunMessage) -> int | None:
        return 437 if message.method == method else None

    one = scene(server={"refuse": forget})
    one.allocate()
    one.talk(20)
    failed = one.client.events[-1]
    assert isinstance(failed, Failed)
    assert failed.code == 437


def test_peer_of_another_family_cannot_be_relayed_to(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    for host in ("2001:db8::1", "caller.local"):
        one.say(b"hello", Address(host, 4000))
    assert one.allocation.dropped_datagrams == 2
    assert one.client.datagrams_to_send() == []


def test_permissions_and_channels_have_bounds_and_their_places_are_given_back() -> None:
    peers = Peers(DEFAULT_TIMING)
    permissions = [peers.add_permission(str(number)) for number in range(MAX_PERMISSIONS)]
    channels = [peers.add_channel(Address("203.0.113.5", number)) for number in range(MAX_CHANNELS)]
    assert None not in (*permissions, *channels)
    assert peers.add_permission("one more") is None
    assert peers.add_channel(Address("203.0.113.5", MAX_CHANNELS)) is None
    assert permissions[0] is not None
    assert channels[0] is not None
    peers.remove_permission(permissions[0])
    peers.remove_channel(channels[0])
    assert peers.add_permission("one more") is not None
    assert peers.add_channel(Address("203.0.113.5", MAX_CHANNELS)) is not None


def test_number_that_has_rested_is_not_the_next_one_to_be_used(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    one.talk(CHANNEL_AFTER + 2)
    one.run(2500)
    lease = next(iter(one.server.leases.values()))
    assert len(lease.channels) == 1
    one.talk(CHANNEL_AFTER + 2)
    assert len(lease.channels) == 2, "unused numbers go first, for late data may still come by the others"


@pytest.mark.slow
def test_peers_beyond_the_bounds_are_counted(scene: MakeScene) -> None:
    one = scene()
    one.allocate()
    for number in range(MAX_PERMISSIONS + 1):
        one.say(b"", Address(f"10.0.{number >> 8}.{number & 255}", 4000))
        if number % 200 == 199:
            one.run(0.1)
    one.run(0.1)
    assert one.allocation.dropped_datagrams == 1


def test_no_more_is_asked_than_the_server_can_owe(scene: MakeScene) -> None:
    one = scene(impairments=DISTANT)
    one.allocate()
    for number in range(1000):
        one.say(b"hello", Address(f"10.0.{number >> 8}.{number & 255}", 4000))
    assert len(list(one.client.datagrams_to_send())) <= 256
    assert one.allocation.dropped_datagrams >= 1000 - 256


def test_send_without_an_allocation_is_counted(scene: MakeScene) -> None:
    one = scene()
    one.say(b"hello")
    assert one.allocation.dropped_datagrams == 1


def test_ipv6_relay_is_asked_for_by_name(scene: MakeScene) -> None:
    one = scene(family=6)
    assert one.fail().reason == "the server lends no usable address"  # for this one knows IPv4 only
