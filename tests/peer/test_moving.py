"""A caller whose address changes in the middle of a call goes on hearing and being heard."""

import re

import pytest
from glottis.ice.check_list import MAX_PAIRS
from glottis.media.demultiplexer import MAX_PATHS
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerSettings, PlaceGivenUp, Places
from glottis.testing.impairments import Impairments
from glottis.testing.peers import GATEWAY, VirtualCall
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import Attribute, MessageClass, build_stun
from support.installed import installed_plugins
from support.seeds import seeds

PCMU = installed_plugins().codecs.find("PCMU").spec
BEFORE, AFTER = Address("203.0.113.9", 61000), Address("203.0.113.9", 62000)
LOWEST, HIGHEST = 1, 2**31 - 1
SETTINGS = PeerSettings((PCMU,), sample_rate=8000, max_message_size=None)


def attribute(name: str, sdp: str) -> str:
    found = re.search(rf"a={name}:(\S+)", sdp)
    assert found is not None
    return found[1]


class MovedCall:
    """Has been going on for a while, with audio both ways, when the translator moves the caller."""

    def __init__(self, *, seed: int = 0, loss: float = 0.0, talks: bool = True, lite: bool = False) -> None:
        gateway = PeerSettings((PCMU,), sample_rate=8000, max_message_size=None, ice_lite=lite)
        impairments = Impairments(loss=loss, delay=0.02, jitter=0.01)
        self.call = call = VirtualCall(
            (PCMU,), seed=seed, impairments=impairments, nat=BEFORE, caller_settings=SETTINGS, gateway_settings=gateway
        )
        offer = call.caller.connection.make_offer()
        answer = call.gateway.connection.accept_offer_untrusted(offer, 0.0)
        call.caller.connection.accept_answer_untrusted(answer, 0.0)
        self.ufrags = tuple(attribute("ice-ufrag", sdp) for sdp in (answer, offer))
        self.password = attribute("ice-pwd", answer)
        assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=20)
        call.gateway.start_media(call.network.now)
        call.gateway.connection.voice.write(b"\x10\x20" * 8000 * 300)
        if talks:
            call.caller.start_media(call.network.now)
            call.caller.connection.voice.write(b"\x10\x20" * 8000 * 300)
        call.network.run(seconds=2)
        call.rebind(AFTER)

    def check(self, *, nominates: bool, priority: int, address: Address = AFTER) -> None:
        """The caller's first check from its new address arrives."""
        attributes = [
            (Attribute.USERNAME, ":".join(self.ufrags).encode()),
            (Attribute.PRIORITY, priority.to_bytes(4)),
            (Attribute.ICE_CONTROLLING, bytes(8)),
            *([(Attribute.USE_CANDIDATE, b"")] if nominates else []),
        ]
        transaction_id = b"check %6d" % address.port
        check = build_stun(MessageClass.REQUEST, transaction_id, attributes, key=self.password.encode())
        assert self.call.nat is not None
        self.call.nat.open(GATEWAY)
        self.call.gateway.handle_datagram(check, Path(GATEWAY, address), self.call.network.now)

    def delay_until_heard(self, address: Address = AFTER, packets: int = 5) -> float:
        """Seconds until the caller has got so many packets of audio at its new address."""
        network, start = self.call.network, self.call.network.now
        network.delivered.clear()

        def arrived() -> int:
            return sum(is_media(one) and one.path.remote == address for one in network.delivered)

        assert network.run(lambda: arrived() >= packets, seconds=20)
        return network.now - start


def is_media(datagram: Datagram) -> bool:
    return datagram.data[0] > 127


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(20))
@pytest.mark.parametrize("priority", [LOWEST, HIGHEST])
@pytest.mark.parametrize("nominates", [True, False], ids=["nominating", "saying nothing"])
def test_caller_with_a_new_address_hears_again_within_half_a_second(nominates: bool, priority: int, seed: int) -> None:
    moved = MovedCall(seed=seed, loss=0.1)
    moved.call.network.run(seconds=0.5)
    moved.check(nominates=nominates, priority=priority)
    assert moved.delay_until_heard() < 0.5 + 0.1  # five packets take a tenth of a second


@pytest.mark.parametrize("lite", [True, False])
def test_caller_who_only_listens_hears_again_once_it_nominates_its_new_address(lite: bool) -> None:
    moved = MovedCall(talks=False, lite=lite)
    moved.check(nominates=True, priority=LOWEST)
    assert moved.delay_until_heard() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("nominates", [True, False])
def test_move_is_no_interruption_and_the_new_address_is_kept(nominates: bool) -> None:
    moved = MovedCall()
    moved.check(nominates=nominates, priority=LOWEST)
    moved.delay_until_heard()
    moved.call.network.run(seconds=40)
    assert moved.call.gateway.connected
    states = [event.state for event in moved.call.gateway.events if isinstance(event, ConnectionStateChanged)]
    assert ConnectionState.DISCONNECTED not in states
    moved.call.network.delivered.clear()
    moved.call.network.run(seconds=1)
    assert {one.path.remote for one in moved.call.network.delivered if one.path.local == GATEWAY} == {AFTER}


@pytest.mark.slow
def test_checks_from_elsewhere_do_not_take_the_call_away_without_an_answer() -> None:
    moved = MovedCall()
    moved.call.rebind(BEFORE)
    moved.check(nominates=True, priority=HIGHEST)  # a copy, from whoever overheard it
    moved.call.network.delivered.clear()
    moved.call.network.run(seconds=5)
    assert not [one for one in moved.call.network.delivered if is_media(one) and one.path.remote == AFTER]
    assert moved.call.gateway.connected


@pytest.mark.parametrize("lite", [True, False])
@pytest.mark.parametrize(
    "returns", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["back and forth", "ever on"]
)
@pytest.mark.parametrize(
    ("interval", "moves"),
    [
        (0.2, 4),
        pytest.param(0.2, MAX_PATHS + 8, marks=pytest.mark.slow),
        pytest.param(2, MAX_PATHS + 8, marks=pytest.mark.slow),
    ],
)
def test_caller_that_moves_again_and_again_is_heard_each_time(
    interval: float, moves: int, returns: bool, lite: bool
) -> None:
    moved = MovedCall(lite=lite)
    for number in range(moves):
        address = Address("203.0.113.10", 50000) if returns and number % 2 else Address("203.0.113.10", 50001 + number)
        moved.call.rebind(address)
        moved.call.network.run(seconds=0.2)
        moved.check(nominates=False, priority=LOWEST, address=address)
        assert moved.delay_until_heard(address) < 0.5
        heard = len(moved.call.gateway.heard)
        moved.call.network.run(seconds=interval)
        assert len(moved.call.gateway.heard) > heard


@pytest.mark.slow
def test_caller_that_takes_paths_faster_than_they_are_forgotten_is_told_once() -> None:
    moved = MovedCall(lite=True)  # a full agent forgets those that do not answer
    for number in range(MAX_PATHS + 20):
        moved.check(nominates=False, priority=LOWEST, address=Address("203.0.113.10", 50000 + number))
        moved.call.network.run(seconds=0.2)
    told = [event for event in moved.call.gateway.events if isinstance(event, PlaceGivenUp)]
    assert told == [PlaceGivenUp(Places.PATHS)]
    gateway = moved.call.gateway.connection
    assert gateway.statistics(moved.call.network.now).counters.paths_given_up > 1
    assert len(gateway.transport.ice.pairs()) == MAX_PAIRS
