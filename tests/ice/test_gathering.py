"""STUN servers, asked side by side on virtual time: some are dead, some lie, and the first answer is what counts."""

import random
from collections.abc import Callable, Iterable

import pytest
from glottis.ice import GatheringTiming, ReflexiveAddress, ReflexiveGatherer, ServerFailed
from glottis.ice.gathering import MAX_ADDRESSES, MAX_SERVERS, GatheringEvent, StunServer
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import (
    Attribute,
    MessageClass,
    build_stun,
    encode_error_code,
    encode_xor_address,
    parse_stun_untrusted,
)

BASE = Address("10.0.0.1", 5000)
OUTSIDE = Address("198.51.100.7", 40000)
SERVER = Address("203.0.113.1", 3478)
OTHER = Address("203.0.113.2", 3478)
TIMING = GatheringTiming()

Answer = Callable[[bytes, Path], Iterable[Datagram]]


def told(mapped: Address) -> Answer:
    """A server that says this, whatever it sees."""
    return lambda transaction_id, path: [Datagram(success(transaction_id, mapped), path)]


def success(transaction_id: bytes, mapped: Address) -> bytes:
    value = encode_xor_address(mapped, transaction_id)
    return build_stun(MessageClass.SUCCESS, transaction_id, [(Attribute.XOR_MAPPED_ADDRESS, value)])


def refused(transaction_id: bytes, path: Path) -> list[Datagram]:
    error = [(Attribute.ERROR_CODE, encode_error_code(401))]
    return [Datagram(build_stun(MessageClass.ERROR, transaction_id, error), path)]


class Server:
    """Answers each request after ``delay`` seconds, as ``answer`` says. Test double of a STUN server."""

    def __init__(self, answer: Answer, delay: float = 0.0) -> None:
        self.answer = answer
        self.asked: list[float] = []
        self._delay = delay
        self._answers: list[tuple[float, Datagram]] = []
        self._now = 0.0

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.asked.append(now)
        self._now = now
        for answer in self.answer(parse_stun_untrusted(data).transaction_id, path):
            self._answers.append((now + self._delay, answer))

    def handle_timeout(self, now: float) -> None:
        self._now = now

    def next_timeout(self) -> float | None:
        return min((moment for moment, _ in self._answers if moment > self._now), default=None)

    def datagrams_to_send(self) -> Iterable[Datagram]:
        due = [answer for moment, answer in self._answers if moment <= self._now]
        self._answers = [one for one in self._answers if one[0] > self._now]
        return due


class Inside:
    """A gatherer, with what it has told and when."""

    def __init__(self, *bases: Address) -> None:
        self.network = VirtualNetwork()
        self.gatherer = ReflexiveGatherer(bases or (BASE,), rng=random.Random(1))
        self.events: list[GatheringEvent] = []
        self.moments: list[float] = []
        self.network.attach(self, *(bases or (BASE,)))

    def serve(self, server: Server, address: Address = SERVER, name: str = "stun.example") -> Server:
        self.network.attach(server, address)
        self.gatherer.set_servers(name, [address], self.network.now)
        return server

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.gatherer.handle_datagram(data, path, now)

    def handle_timeout(self, now: float) -> None:
        self.gatherer.handle_timeout(now)

    def next_timeout(self) -> float | None:
        return self.gatherer.next_timeout()

    def datagrams_to_send(self) -> Iterable[Datagram]:
        while (event := self.gatherer.next_event()) is not None:
            self.events.append(event)
            self.moments.append(self.network.now)
        return self.gatherer.datagrams_to_send()

    @property
    def found(self) -> list[Address]:
        return [event.address for event in self.events if isinstance(event, ReflexiveAddress)]


def test_a_server_tells_the_address_that_others_see() -> None:
    inside = Inside()
    inside.serve(Server(told(OUTSIDE), delay=0.03))
    inside.network.run(lambda: inside.gatherer.is_settled)
    assert inside.events == [ReflexiveAddress(OUTSIDE, BASE, "stun.example")]
    assert inside.gatherer.addresses == tuple(inside.events)
    assert inside.network.now == pytest.approx(0.03)


def test_dead_and_slow_servers_delay_no_answer_of_another_one() -> None:
    inside = Inside()
    for number in range(3):
        inside.gatherer.set_servers(f"dead{number}", [Address(f"203.0.113.{100 + number}", 3478)], 0.0)
    inside.serve(Server(told(OUTSIDE), delay=3.0), OTHER, "slow")
    inside.serve(Server(told(OUTSIDE), delay=0.03))
    inside.network.run(lambda: bool(inside.found))
    assert inside.found == [OUTSIDE]
    assert inside.network.now <= 4 * TIMING.pacing + 0.03 + 1e-6
    assert not inside.gatherer.is_settled
    inside.network.run(lambda: inside.gatherer.is_settled)
    assert inside.found == [OUTSIDE], "what another server says too is redundant (RFC 8445 §5.1.3)"
    assert [event.server.name for event in inside.events if isinstance(event, ServerFailed)] == [
        "dead0",
        "dead1",
        "dead2",
    ]
    assert inside.network.now < 16


def test_a_lost_request_is_repeated() -> None:
    inside = Inside()
    server = inside.serve(Server(told(OUTSIDE)))
    inside.network.unreachable.add(SERVER)
    inside.network.run(seconds=0.2)
    inside.network.unreachable.clear()
    inside.network.run(lambda: bool(inside.found))
    assert server.asked == [pytest.approx(TIMING.rto)]


def test_requests_leave_one_after_another() -> None:
    inside = Inside()
    servers = [inside.serve(Server(told(OUTSIDE)), Address(f"203.0.113.{n}", 3478), f"stun{n}") for n in range(4)]
    inside.network.run(lambda: inside.gatherer.is_settled)
    assert [server.asked[0] for server in servers] == pytest.approx([n * TIMING.pacing for n in range(4)])


def test_the_binding_is_kept_alive_and_a_new_one_is_told() -> None:
    inside = Inside()
    server = inside.serve(Server(told(OUTSIDE)))
    inside.network.run(seconds=65)
    assert server.asked == pytest.approx([0, 20, 40, 60])
    moved = OUTSIDE._replace(port=40001)
    server.answer = told(moved)
    inside.network.run(lambda: len(inside.found) > 1)
    assert inside.found == [OUTSIDE, moved]
    assert [one.address for one in inside.gatherer.addresses] == [moved]


def test_a_server_that_falls_silent_is_told_once_and_asked_ever_more_seldom() -> None:
    inside = Inside()
    server = inside.serve(Server(told(OUTSIDE)))
    inside.network.run(seconds=1)
    server.answer = lambda transaction_id, path: []
    inside.network.run(seconds=4000)
    assert len(inside.events) == 2
    assert inside.gatherer.addresses == ()
    assert 40 < len(server.asked) < 60
    server.answer = told(OUTSIDE)
    inside.network.run(seconds=700)
    assert inside.found == [OUTSIDE, OUTSIDE]


def test_a_server_that_no_base_reaches_is_told_once() -> None:
    inside = Inside(BASE, Address("10.0.0.2", 5000))
    inside.gatherer.set_servers("dead", [SERVER], 0.0)
    inside.network.run(seconds=3600)
    assert inside.events == [ServerFailed(StunServer("dead", SERVER), "does not answer")]


def test_another_server_that_said_the_same_takes_over() -> None:
    inside = Inside()
    first, second = inside.serve(Server(told(OUTSIDE))), inside.serve(Server(told(OUTSIDE)), OTHER, "other")
    inside.network.run(seconds=100)
    assert len(second.asked) == 1, "one server is enough to keep a binding"
    first.answer = lambda transaction_id, path: []
    inside.network.run(seconds=40)
    assert inside.gatherer.addresses == (ReflexiveAddress(OUTSIDE, BASE, "other"),)


def test_a_gateway_with_a_public_address_is_told_nothing_new() -> None:
    inside = Inside(OUTSIDE)
    server = inside.serve(Server(told(OUTSIDE)))
    inside.network.run(seconds=300)
    assert inside.events == []
    assert inside.gatherer.is_settled
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "lie",
    [
        Address("127.0.0.1", 5000),
        Address("0.0.0.0", 5000),
        Address("224.0.0.251", 5353),
        Address("255.255.255.255", 5000),
        Address("169.254.1.1", 5000),
        Address("198.51.100.7", 0),
        Address("2001:db8::1", 5000),
    ],
)
def test_an_address_that_nobody_can_be_reached_by_is_ignored_and_counted(lie: Address) -> None:
    inside = Inside()
    inside.serve(Server(told(lie)))
    inside.network.run(lambda: inside.gatherer.is_settled)
    assert inside.found == []
    assert inside.gatherer.answers_ignored == 1
    assert [type(event) for event in inside.events] == [ServerFailed]


def test_answers_count_only_from_where_was_asked_and_for_what_was_asked() -> None:
    def forge(transaction_id: bytes, path: Path) -> list[Datagram]:
        lie = Address("198.51.100.66", 666)
        elsewhere = path._replace(local=Address("203.0.113.66", 3478))
        return [
            Datagram(success(transaction_id, lie), elsewhere),
            Datagram(success(bytes(12), lie), path),
            Datagram(b"\x01\x01\x00\x00", path),
            Datagram(success(transaction_id, OUTSIDE), path),
            Datagram(success(transaction_id, lie), path),
        ]

    inside = Inside()
    inside.serve(Server(forge))
    inside.network.run(lambda: inside.gatherer.answers_ignored == 4)
    assert inside.found == [OUTSIDE]


def test_a_server_that_refuses_is_left_alone_for_a_while() -> None:
    inside = Inside()
    server = inside.serve(Server(refused))
    inside.network.run(lambda: inside.gatherer.is_settled)
    [event] = inside.events
    assert isinstance(event, ServerFailed)
    assert event.reason == "refuses: error 401"
    inside.network.run(seconds=TIMING.retry - 1)
    assert len(server.asked) == 1


def test_each_base_has_its_own_address_and_only_servers_of_its_family() -> None:
    six, outside_six = Address("fd00::1", 5000), Address("2001:db8::7", 40000)
    inside = Inside(BASE, six)
    server_six = Address("2001:db8::1", 3478)
    inside.network.attach(Server(told(OUTSIDE)), SERVER)
    inside.network.attach(Server(told(outside_six)), server_six)
    inside.gatherer.set_servers("both", [SERVER, server_six, Address("127.0.0.1", 3478)], 0.0)
    inside.network.run(lambda: inside.gatherer.is_settled)
    assert inside.gatherer.addresses == (
        ReflexiveAddress(OUTSIDE, BASE, "both"),
        ReflexiveAddress(outside_six, six, "both"),
    )


def test_a_translator_that_shows_everybody_another_address_fills_no_description() -> None:
    inside = Inside()
    for number in range(MAX_SERVERS + 4):
        server = Server(told(OUTSIDE._replace(port=40000 + number)))
        inside.serve(server, Address(f"203.0.113.{number}", 3478), f"stun{number}")
    inside.network.run(seconds=3)
    assert len(inside.found) == MAX_ADDRESSES
    assert inside.gatherer.is_settled


def test_a_name_that_leads_elsewhere_is_followed() -> None:
    inside = Inside()
    old = inside.serve(Server(told(OUTSIDE)))
    inside.network.run(seconds=1)
    new = inside.serve(Server(told(OUTSIDE)), OTHER)
    inside.network.run(seconds=50)
    assert (len(old.asked), len(new.asked)) == (1, 3)


def test_whatever_comes_in_nothing_is_raised() -> None:
    """Fuzz: mutated answers of a server are taken or ignored, and never raise."""
    rng = random.Random(5389)
    inside = Inside()

    def mutate(transaction_id: bytes, path: Path) -> list[Datagram]:
        answers = []
        for _ in range(300):
            data = bytearray(success(transaction_id, OUTSIDE))
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            answers.append(Datagram(bytes(data[: rng.randint(0, len(data))]), path))
        return answers

    inside.serve(Server(mutate))
    inside.network.run(seconds=1)
    assert inside.gatherer.answers_ignored > 250


def test_a_server_on_loopback_tells_of_loopback() -> None:
    base = Address("::1", 5000)
    for seen, is_believed in ((base, True), (Address("2001:db8::7", 5000), False)):
        inside, server = Inside(base), Address("::1", 3478)
        inside.network.attach(Server(told(seen)), server)
        inside.gatherer.set_servers("here", [server], 0.0)
        inside.network.run(lambda inside=inside: inside.gatherer.is_settled)  # type: ignore[misc]
        assert (inside.gatherer.answers_ignored == 0) is is_believed
