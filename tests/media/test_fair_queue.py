"""Who sends much waits, and who sends little does not; costs are told by a clock that only sessions move."""

from collections.abc import Callable

import pytest
from glottis.media.demultiplexer import Demultiplexer
from glottis.media.fair_queue import MAX_WAITING, PLACES, SHARE, SHARE_PERIOD, TURN_TIME, FairQueue
from glottis.wire.address import Address, Path

LOCAL = Address("192.0.2.1", 4000)
RTP = bytes([128, 111]) + bytes(40)
CHEAP, DEAR = 10e-6, 100e-6


class Clock:
    """Real time, as far as a test lets it go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Session:
    """Takes ``cost`` seconds for each datagram."""

    def __init__(self, log: list["Session"], clock: Clock, cost: float) -> None:
        self.log, self.clock, self.cost = log, clock, cost
        self.received: list[bytes] = []
        self.refused = 0

    def receive(self, data: bytes, path: Path) -> None:
        self.clock.now += self.cost
        self.received.append(data)
        self.log.append(self)

    def refuse(self) -> None:
        self.refused += 1


class House:
    """A queue and its sessions, each with a path and a name of its own."""

    def __init__(self) -> None:
        self.clock, self.log = Clock(), list[Session]()
        self.tables = Demultiplexer()
        self.queue = FairQueue(self.tables, self.clock)
        self.paths: dict[Session, Path] = {}

    def make(self, cost: float = CHEAP) -> Session:
        session = Session(self.log, self.clock, cost)
        self.paths[session] = Path(LOCAL, Address("192.0.2.7", 5000 + len(self.paths)))
        self.tables.add_path(self.paths[session], session, proven=True)
        self.tables.add_ufrag(f"name{len(self.paths)}", session)
        return session

    def send(self, session: Session, data: bytes = RTP) -> None:
        self.queue.take(data, self.paths[session])

    def turn(self, send: Callable[[], None] = lambda: None) -> float:
        """A turn of the wheel; returns the seconds that it took."""
        self.clock.now = (self.clock.now // 0.005 + 1) * 0.005
        began = self.clock.now
        self.queue.begin_turn()
        send()
        self.queue.serve_waiting()
        return self.clock.now - began


@pytest.fixture
def house() -> House:
    return House()


def check(name: str) -> bytes:
    username = f"{name}:peer".encode()
    attribute = b"\x00\x06" + len(username).to_bytes(2) + username + bytes(-len(username) % 4)
    return b"\x00\x01" + len(attribute).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + attribute


def test_a_flood_of_one_session_delays_no_other(house: House) -> None:
    flooding, calls = house.make(DEAR), [house.make() for _ in range(20)]

    def send() -> None:
        for call in calls:
            for _ in range(12):
                house.send(flooding)
            house.send(call)

    for _ in range(100):
        took = house.turn(send)
        assert took <= TURN_TIME + DEAR
    assert [len(call.received) for call in calls] == [100] * 20
    assert [call.refused for call in calls] == [0] * 20
    assert flooding.refused > 100 * 240 * 0.8


@pytest.mark.parametrize("cost", [CHEAP, DEAR])
def test_a_burst_of_a_hundred_packets_is_served_whole_and_in_order(house: House, cost: float) -> None:
    session = house.make(cost)
    packets = [RTP + bytes([number]) for number in range(100)]
    for packet in packets:
        house.send(session, packet)
    for _ in range(6):
        house.turn()
    assert session.received == packets
    assert session.refused == 0


def test_a_transfer_of_five_megabytes_a_second_loses_nothing(house: House) -> None:
    session = house.make(70e-6)
    for _ in range(200):
        for _ in range(22):
            house.send(session)
        house.turn()
    for _ in range(MAX_WAITING):
        house.turn()
    assert (len(session.received), session.refused) == (4400, 0)


def test_those_who_wait_are_served_in_turn(house: House) -> None:
    one, other = house.make(DEAR), house.make(DEAR)
    for session in (one, other):
        for _ in range(50):
            house.send(session)
    house.log.clear()
    house.turn()
    assert house.log == [one, other] * 10


def test_what_waits_is_bounded_for_each_and_shared_by_all(house: House) -> None:
    one = house.make(2 * SHARE)
    for _ in range(1 + MAX_WAITING + 10):
        house.send(one)
    assert (len(one.received), one.refused) == (1, 10)
    others = [house.make(2 * SHARE) for _ in range(200)]
    for other in others:
        for _ in range(1 + MAX_WAITING):
            house.send(other)
    waiting = [MAX_WAITING - other.refused for other in others]
    assert waiting == [min(MAX_WAITING, 1 + PLACES // number) for number in range(2, 202)]


@pytest.mark.slow
def test_there_is_a_place_for_everybody_who_waits(house: House) -> None:
    sessions = [house.make(2 * SHARE) for _ in range(PLACES + 100)]
    for session in sessions:
        house.send(session)
        house.send(session)
    assert not any(session.refused for session in sessions)
    while house.queue:
        house.turn()
    assert {len(session.received) for session in sessions} == {2}


def test_strangers_who_know_a_sessions_name_use_up_no_time_of_its_own(house: House) -> None:
    session = house.make(DEAR)
    stranger = Path(LOCAL, Address("203.0.113.66", 6666))
    for _ in range(1000):
        house.queue.take(check("name1"), stranger)
    waiting = len(session.received)
    house.send(session)
    house.send(session, check("name1"))
    assert session.received[waiting:] == [RTP, check("name1")]
    assert session.refused == 0
    assert house.tables.dropped >= 1000 - waiting - MAX_WAITING


def test_a_share_is_for_a_time_not_for_a_call_of_the_reader(house: House) -> None:
    session = house.make(SHARE / 4)
    for _ in range(10):
        house.queue.begin_turn()
        house.send(session)
    assert len(session.received) == 4
    house.clock.now += SHARE_PERIOD
    house.queue.begin_turn()
    house.queue.serve_waiting()
    assert len(session.received) == 10
    assert not house.queue


@pytest.mark.parametrize("slots", [1, 2])
def test_a_turn_for_two_slots_has_the_time_of_both(house: House, slots: int) -> None:
    calls = [house.make(0.0001) for _ in range(100)]
    house.queue.begin_turn(slots)
    served = 0
    for call in calls:
        served += 1
        if not house.queue.take(RTP, house.paths[call]):
            break
    assert abs(served * 0.0001 - slots * TURN_TIME) <= 0.00011
    assert not house.queue.has_time


def test_flood_by_a_relay_waits_for_its_own_session_alone() -> None:
    """What comes from a TURN server belongs to many, and is taken apart before it is counted."""
    house = House()
    loud, quiet = house.make(DEAR), house.make()

    class Relay:
        def receive(self, data: bytes, path: Path) -> None:
            house.send(loud if data == b"\x40loud" else quiet)

        def refuse(self) -> None:
            raise AssertionError

    server = Path(LOCAL, Address("192.0.2.9", 3478))
    house.tables.add_carrier(server, Relay())
    house.queue.begin_turn()
    for _ in range(50):
        house.queue.take(b"\x40loud", server)
    house.queue.take(b"\x40quiet", server)
    assert len(quiet.received) == 1
    assert len(loud.received) <= SHARE / DEAR + 1
    assert house.queue
