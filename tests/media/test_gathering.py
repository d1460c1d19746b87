"""Servers by name, in the background: nobody waits for them, and calls are told what is found as long as it helps."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import pytest
import trio
from glottis import IceServer
from glottis.ice import ReflexiveAddress
from glottis.media.demultiplexer import Arrival, Demultiplexer, Receiver
from glottis.media.gathering import LOOK_UP_RETRY, MAX_NAMES, PATIENCE, GatheredAddress, Gathering
from glottis.media.link import Link, Sender
from glottis.media.relays import RelayedAddress
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import Attribute, MessageClass, build_stun, encode_xor_address, parse_stun_untrusted

BASE = Address("10.0.0.1", 5000)
OUTSIDE = Address("198.51.100.7", 40000)
ALIVE = Address("203.0.113.1", 3478)
FOUND = ReflexiveAddress(OUTSIDE, BASE, "alive.example:3478")


class Endpoint:
    """Sends to servers of which one answers at once; relays have their own tests."""

    def __init__(self) -> None:
        self.demultiplexer = Demultiplexer()
        self.sent: list[Address] = []

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None: ...
    def remove_ufrag(self, ufrag: str, receiver: Receiver) -> None: ...
    def add_path(self, path: Path, receiver: Receiver, *, proven: bool, in_use: bool) -> None: ...
    def remove_path(self, path: Path, receiver: Receiver) -> None: ...
    def bind_another(self, host: str, *, for_calls: bool = True) -> Address:
        raise AssertionError("no server takes one for another")

    def attach(self, link: Link) -> None: ...
    def detach(self, link: Link) -> None: ...
    def add_carrier(self, path: Path, receiver: Receiver) -> bool:
        return True

    def take(self, data: bytes, arrival: Arrival) -> None: ...
    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def send(self, datagram: Datagram, sender: Sender) -> None:
        data, path = datagram
        self.sent.append(path.remote)
        self.demultiplexer.note_request(data, sender)
        if path.remote == ALIVE:
            transaction_id = parse_stun_untrusted(data).transaction_id
            mapped = [(Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(OUTSIDE, transaction_id))]
            answer = build_stun(MessageClass.SUCCESS, transaction_id, mapped)
            self.demultiplexer.dispatch(answer, (path.local, path.remote, "udp"))

    def remove(self, receiver: Receiver) -> None:
        self.demultiplexer.remove(receiver)


class Call:
    """Notes what it is told, and when."""

    def __init__(self) -> None:
        self.addresses: list[GatheredAddress] = []
        self.ended_at: float | None = None
        self.failures: list[str] = []

    def failed(self, server: str, reason: str) -> None:
        self.failures.append(f"{server} {reason}")

    def found(self, found: GatheredAddress) -> None:
        self.addresses.append(found)

    def gathered(self) -> None:
        assert self.ended_at is None
        self.ended_at = trio.current_time()

    def lost(self, lost: RelayedAddress) -> None:
        raise AssertionError


class Names:
    """Test double of the domain name system."""

    def __init__(self) -> None:
        self.known = {"alive.example": [ALIVE], "dead.example": [Address("203.0.113.9", 3478)]}
        self.asked: list[str] = []

    async def look_up(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        if host == "slow.example":
            await trio.sleep_forever()
        return self.known.get(host, [])


@asynccontextmanager
async def gathering(names: Names, *, endpoint: Endpoint | None = None) -> AsyncIterator[Gathering]:
    async with trio.open_nursery() as nursery:
        gathering = Gathering(endpoint or Endpoint(), [BASE], rng=random.Random(1), look_up=names.look_up)
        nursery.start_soon(gathering.run)
        yield gathering
        nursery.cancel_scope.cancel()


def stun(*hosts: str) -> list[IceServer]:
    return [IceServer(tuple(f"stun:{host}" for host in hosts))]


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(3600):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_without_servers_no_call_is_told_anything(autojump_clock: trio.testing.MockClock) -> None:
    endpoint, call = Endpoint(), Call()
    async with gathering(Names(), endpoint=endpoint) as gatherer:
        gatherer.use([IceServer(("turns:turn.example?transport=udp", "stuns:stun.example"), "user", "secret")])
        gatherer.introduce(call)
        await trio.sleep(60)
    assert (endpoint.sent, call.addresses, call.ended_at) == ([], [], None)


async def test_a_call_is_told_what_is_found_later_and_then_the_end(autojump_clock: trio.testing.MockClock) -> None:
    call = Call()
    async with gathering(Names()) as gatherer:
        gatherer.use(stun("alive.example"))
        gatherer.introduce(call)
        assert call.addresses == []
        await until(lambda: call.ended_at is not None)
        assert call.addresses == [FOUND]
        later = Call()
        gatherer.introduce(later)
        assert later.addresses == [FOUND]
        assert later.ended_at is not None


async def test_who_comes_to_another_network_is_told_what_is_seen_of_it_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    call, elsewhere = Call(), Address("10.0.1.1", 5000)
    async with gathering(Names()) as gatherer:
        gatherer.use(stun("alive.example"))
        gatherer.introduce(call)
        await until(lambda: call.ended_at is not None)
        call.ended_at = None
        gatherer.move_to(elsewhere)
        await until(lambda: len(call.addresses) > 1)
        assert call.addresses == [FOUND, ReflexiveAddress(OUTSIDE, elsewhere, FOUND.server)]
        later = Call()
        gatherer.introduce(later)
        assert later.addresses == call.addresses[1:]


@pytest.mark.parametrize("hopeless", ["dead.example", "slow.example"])
async def test_the_end_is_told_though_a_server_is_dead_or_its_name_leads_nowhere(
    hopeless: str, autojump_clock: trio.testing.MockClock
) -> None:
    call = Call()
    async with gathering(Names()) as gatherer:
        began = trio.current_time()
        gatherer.use(stun(hopeless, "alive.example"))
        gatherer.introduce(call)
        await until(lambda: call.addresses)
        assert trio.current_time() - began < 0.2
        await until(lambda: call.ended_at is not None)
        assert call.ended_at == pytest.approx(began + PATIENCE)


async def test_a_call_that_has_ended_is_told_nothing(autojump_clock: trio.testing.MockClock) -> None:
    call = Call()
    async with gathering(Names()) as gatherer:
        gatherer.use(stun("alive.example"))
        gatherer.introduce(call)
        gatherer.leave(call)
        await trio.sleep(60)
    assert (call.addresses, call.ended_at) == ([], None)


async def test_a_server_is_asked_once_whatever_many_calls_name_it(autojump_clock: trio.testing.MockClock) -> None:
    names, endpoint = Names(), Endpoint()
    async with gathering(names, endpoint=endpoint) as gatherer:
        for _ in range(100):
            gatherer.use(stun("alive.example"))
            await trio.sleep(0.01)
    assert (names.asked, endpoint.sent) == (["alive.example"], [ALIVE])
    assert len(endpoint.demultiplexer) == 0, "nothing stays in the tables"


async def test_an_outage_is_logged_once(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    names = Names()
    async with gathering(names) as gatherer:
        gatherer.use(stun("nowhere.example", "dead.example"))
        await trio.sleep(10 * LOOK_UP_RETRY)
        assert names.asked.count("nowhere.example") >= 10
        assert sorted(caplog.messages) == [
            "STUN server dead.example:3478 (203.0.113.9) does not answer",
            "STUN server nowhere.example:3478 has a name that cannot be looked up",
        ]
        late = Call()
        gatherer.introduce(late)
        assert sorted(late.failures) == sorted(caplog.messages)
        names.known["nowhere.example"] = [ALIVE]
        call = Call()
        await trio.sleep(LOOK_UP_RETRY + 1)
        gatherer.introduce(call)
        assert [address.address for address in call.addresses] == [OUTSIDE]
        assert call.failures == ["STUN server dead.example:3478 (203.0.113.9) does not answer"]


async def test_names_that_no_call_brings_any_more_give_way(autojump_clock: trio.testing.MockClock) -> None:
    names, endpoint = Names(), Endpoint()
    async with gathering(names, endpoint=endpoint) as gatherer:
        gatherer.use(stun("alive.example"))
        await trio.sleep(1)
        gatherer.use(stun(*(f"nowhere{number}.example" for number in range(MAX_NAMES))))
        await trio.sleep(100)
    assert endpoint.sent == [ALIVE]
    assert len(set(names.asked)) == MAX_NAMES + 1


async def test_a_name_that_gave_way_and_comes_again_is_asked(autojump_clock: trio.testing.MockClock) -> None:
    names, endpoint, call = Names(), Endpoint(), Call()
    others = [f"nowhere{number}.example" for number in range(MAX_NAMES)]
    async with gathering(names, endpoint=endpoint) as gatherer:
        gatherer.use(stun("alive.example", *others, "alive.example", "203.0.113.9", *others, "alive.example"))
        await trio.sleep(10)
        gatherer.introduce(call)
    assert call.addresses == [FOUND]
    assert names.asked.count("alive.example") == 1
