"""Two DTLS transports as hosts of the virtual network, and a stranger who can forge the peer's address."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

import pytest
from glottis.dtls import Certificate, Connected, DtlsEvent, DtlsTransport
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path

CLIENT, SERVER = Address("192.0.2.1", 1), Address("192.0.2.2", 2)


@dataclass(eq=False)
class Host:
    """Puts a transport's bytes into datagrams along one path."""

    transport: DtlsTransport
    path: Path
    events: list[DtlsEvent] = field(default_factory=list)
    received: int = 0

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.received += 1
        self.transport.handle_datagram(data, now)
        self._collect()

    def handle_timeout(self, now: float) -> None:
        self.transport.handle_timeout(now)
        self._collect()

    def datagrams_to_send(self) -> list[Datagram]:
        self._collect()
        return [Datagram(data, self.path) for data in self.transport.datagrams_to_send()]

    def next_timeout(self) -> float | None:
        return self.transport.next_timeout()

    def _collect(self) -> None:
        while (event := self.transport.next_event()) is not None:
            self.events.append(event)

    @property
    def connected(self) -> Connected | None:
        return next((event for event in self.events if isinstance(event, Connected)), None)


class LosingNetwork(VirtualNetwork):
    """Loses exactly the datagrams whose numbers, in order of sending, are in ``lost``."""

    def __init__(self, seed: int, impairments: Impairments, lost: frozenset[int]) -> None:
        super().__init__(seed, impairments)
        self._lost = lost
        self._numbers = count()

    def send(self, datagram: Datagram) -> None:
        if next(self._numbers) not in self._lost:
            super().send(datagram)


class Pair:
    """A client and a server that know each other's fingerprints, not yet started, on a network of their own."""

    def __init__(self, client: DtlsTransport, server: DtlsTransport, network: VirtualNetwork) -> None:
        self.network = network
        self.client = Host(client, Path(CLIENT, SERVER))
        self.server = Host(server, Path(SERVER, CLIENT))
        self.network.attach(self.client, CLIENT)
        self.network.attach(self.server, SERVER)

    @property
    def hosts(self) -> tuple[Host, Host]:
        return self.client, self.server

    def start(self) -> None:
        for host in self.hosts:
            host.transport.start(self.network.now)

    def both_connected(self) -> bool:
        return self.client.connected is not None and self.server.connected is not None

    def connect(self, seconds: float = 30.0) -> bool:
        self.start()
        return self.network.run(self.both_connected, seconds=seconds)

    def forge(self, data: bytes, victim: Host) -> None:
        """A stranger's datagram reaches ``victim`` now, from the peer's address."""
        victim.handle_datagram(data, Path(victim.path.local, victim.path.remote), self.network.now)


@pytest.fixture(scope="session")
def certificates() -> tuple[Certificate, Certificate]:
    return Certificate.generate(), Certificate.generate()


MakePair = Callable[..., Pair]


@pytest.fixture
def make_pair(certificates: tuple[Certificate, Certificate]) -> MakePair:
    def make(
        *,
        seed: int = 0,
        impairments: Impairments = PERFECT,
        lost: Iterable[int] = (),
        client: Certificate = certificates[0],
        server: Certificate = certificates[1],
        srtp: bool = True,
        fingerprints: bool = True,
    ) -> Pair:
        pair = Pair(
            DtlsTransport(certificate=client, client=True, srtp=srtp),
            DtlsTransport(certificate=server, client=False, srtp=srtp),
            LosingNetwork(seed, impairments, frozenset(lost)),
        )
        if fingerprints:
            pair.client.transport.set_remote_fingerprints([server.fingerprint])
            pair.server.transport.set_remote_fingerprints([client.fingerprint])
        return pair

    return make
