"""A client's allocation, a server and a peer on a virtual network."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.virtual_network import VirtualNetwork
from glottis.turn import Allocated, Allocation, Failed, LongTermCredentials, Received, TurnEvent
from glottis.wire.address import Address, Datagram, Path
from support.turn_server import TurnServer

CLIENT = Address("192.0.2.1", 50001)
SERVER = Address("198.51.100.7", 3478)
RELAY = "198.51.100.8"
PEER = Address("203.0.113.5", 40000)
CREDENTIALS = LongTermCredentials("user", "secret")


class Client:
    """An allocation, attached to the network as it is, with all events that it has given. It follows redirections."""

    def __init__(self, allocation: Allocation) -> None:
        self.allocation = allocation
        self.events: list[TurnEvent] = []

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.allocation.handle_datagram(data, now)
        self._collect()

    def handle_timeout(self, now: float) -> None:
        self.allocation.handle_timeout(now)
        self._collect()

    def datagrams_to_send(self) -> Iterable[Datagram]:
        self._collect()
        path = Path(CLIENT, self.allocation.server)
        return [Datagram(data, path) for data in self.allocation.datagrams_to_send()]

    def next_timeout(self) -> float | None:
        return self.allocation.next_timeout()

    def _collect(self) -> None:
        while (event := self.allocation.next_event()) is not None:
            self.events.append(event)

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Listener:
    """A peer, which hears what is relayed to it."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Address]] = []
        self.to_send: list[Datagram] = []

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.heard.append((data, path.remote))

    def handle_timeout(self, now: float) -> None: ...

    def datagrams_to_send(self) -> Iterable[Datagram]:
        outgoing, self.to_send = self.to_send, []
        return outgoing

    def next_timeout(self) -> float | None:
        return None


class Scene:
    """``allocate`` first; then ``say`` and ``hear`` go both ways."""

    def __init__(
        self,
        *,
        impairments: Impairments = PERFECT,
        credentials: LongTermCredentials | None = CREDENTIALS,
        server: dict[str, Any] | None = None,
        **client: Any,
    ) -> None:
        self.network = VirtualNetwork(7, impairments)
        self.server = TurnServer(SERVER, **{"relay": RELAY, **(server or {})})
        self.client = Client(Allocation(SERVER, credentials, rng=random.Random(1), **client))
        self.peer = Listener()
        self.network.attach(self.client, CLIENT)
        self.network.attach(self.server, SERVER, *(Address(RELAY, port) for port in range(49152, 49160)))
        self.network.attach(self.peer, PEER)

    @property
    def allocation(self) -> Allocation:
        return self.client.allocation

    def run(self, seconds: float) -> None:
        self.network.run(seconds=seconds)

    def start(self, seconds: float = 60.0) -> None:
        self.allocation.start(self.network.now)
        self.network.run(lambda: bool(self.client.events), seconds=seconds)

    def allocate(self) -> Allocated:
        self.start()
        (allocated,) = self.client.told(Allocated)
        assert isinstance(allocated, Allocated)
        return allocated

    def fail(self) -> Failed:
        """Whatever was told before."""
        self.start()
        self.run(120)
        failed = self.client.events[-1]
        assert isinstance(failed, Failed)
        return failed

    def say(self, data: bytes, peer: Address = PEER) -> None:
        self.allocation.send(data, peer, self.network.now)

    def talk(self, count: int, *, every: float = 0.02) -> None:
        """Say something again and again, as a call does."""
        for _ in range(count):
            self.say(b"hello")
            self.run(every)

    def answer(self, data: bytes, sender: Address = PEER) -> None:
        relayed = self.allocation.relayed
        assert relayed is not None
        self.network.send(Datagram(data, Path(sender, relayed)))

    @property
    def heard(self) -> list[bytes]:
        return [event.data for event in self.client.told(Received)]


@pytest.fixture
def scene() -> Callable[..., Scene]:
    return Scene
