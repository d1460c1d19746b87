"""Pairs of engines over the virtual network."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from glottis.sctp import DataChannelEvent, DataChannels
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.sctp import SACK_IMMEDIATELY, ChunkType, parse_packet_untrusted
from glottis.wire.sctp_chunks import ParameterType, parse_init_untrusted
from support.sctp_attacker import Attacker

CLIENT, SERVER = Address("10.0.0.1", 1), Address("10.0.0.2", 2)


class SctpHost:
    """An engine behind an address: what DTLS would encrypt goes out as it is."""

    def __init__(self, engine: Any, path: Path) -> None:
        self.engine = engine
        self.path = path
        self.sent_sizes: list[int] = []
        self.sent: list[bytes] = []
        self.drop: Callable[[bytes], bool] = lambda packet: False

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.engine.handle_datagram(data, now)

    def handle_timeout(self, now: float) -> None:
        self.engine.handle_timeout(now)

    def next_timeout(self) -> float | None:
        timeout: float | None = self.engine.next_timeout()
        return timeout

    def datagrams_to_send(self) -> list[Datagram]:
        packets = self.engine.datagrams_to_send()
        self.sent += packets
        return [Datagram(packet, self.path) for packet in packets if not self.drop(packet)]

    def events(self) -> list[Any]:
        events = []
        while (event := self.engine.next_event()) is not None:
            events.append(event)
        return events


class Patient(SctpHost):
    """As most peers, which never ask for an acknowledgement without delay."""

    def datagrams_to_send(self) -> list[Datagram]:
        return [Datagram(_without_i_bit(data), path) for data, path in super().datagrams_to_send()]


def _without_i_bit(packet: bytes) -> bytes:
    """Of a packet without a checksum."""
    patient = bytearray(packet)
    _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
    for chunk_type, _, start, _ in spans:
        if chunk_type == ChunkType.DATA:
            patient[start - 3] &= ~SACK_IMMEDIATELY
    return bytes(patient)


class OldPion(SctpHost):
    """As Pion up to 3.2.23, which drops a packet with a parameter that it does not know, as zero checksum is."""

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        _, spans = parse_packet_untrusted(data, zero_checksum_accepted=True)
        for chunk_type, _, start, end in spans:
            if chunk_type in (ChunkType.INIT, ChunkType.INIT_ACK):
                parameters = parse_init_untrusted(data[start:end]).parameters
                if any(parameter.type == ParameterType.ZERO_CHECKSUM_ACCEPTABLE for parameter in parameters):
                    return
        super().handle_datagram(data, path, now)


class Pair:
    """A client and a server joined by a network."""

    def __init__(
        self,
        client: Any,
        server: Any,
        seed: int = 0,
        impairments: Impairments = PERFECT,
        client_host: type[SctpHost] = SctpHost,
    ) -> None:
        self.network = VirtualNetwork(seed, impairments)
        self.client_host = client_host(client, Path(CLIENT, SERVER))
        self.server_host = SctpHost(server, Path(SERVER, CLIENT))
        self.client, self.server = client, server
        self.client_events: list[DataChannelEvent] = []
        self.server_events: list[DataChannelEvent] = []
        self.network.attach(self.client_host, CLIENT)
        self.network.attach(self.server_host, SERVER)

    @property
    def now(self) -> float:
        return self.network.now

    def collect(self) -> None:
        self.client_events += self.client_host.events()
        self.server_events += self.server_host.events()

    def run(self, until: Callable[[], bool] | None = None, seconds: float = 60.0) -> bool:
        def reached() -> bool:
            self.collect()
            return until is not None and until()

        return self.network.run(reached, seconds=seconds)

    def connect(self) -> None:
        self.client.connect(self.now)
        self.server.connect(self.now)


def channels(*, dtls_client: bool, seed: int = 0, **settings: Any) -> DataChannels:
    settings.setdefault("remote_max_message_size", 262144)
    return DataChannels(dtls_client=dtls_client, rng=random.Random(seed + dtls_client), **settings)


@pytest.fixture
def make_pair() -> Callable[..., Pair]:
    def make(*, seed: int = 0, impairments: Impairments = PERFECT, **settings: Any) -> Pair:
        client = channels(dtls_client=True, seed=seed, **settings)
        server = channels(dtls_client=False, seed=seed, **settings)
        return Pair(client, server, seed, impairments)

    return make


@pytest.fixture
def old_pion() -> Pair:
    """A gateway that has not connected to an old Pion yet, with 20 ms each way."""
    pion = channels(dtls_client=True, zero_checksum=False)
    return Pair(pion, channels(dtls_client=False), impairments=Impairments(delay=0.02), client_host=OldPion)


@pytest.fixture
def patient() -> Pair:
    """A gateway connected to a peer that waits for acknowledgements, with 20 ms each way."""
    pair = Pair(
        channels(dtls_client=True),
        channels(dtls_client=False),
        impairments=Impairments(delay=0.02),
        client_host=Patient,
    )
    pair.connect()
    pair.run(seconds=0.5)
    return pair


@pytest.fixture
def werift() -> Pair:
    """A gateway connected to a peer that chooses its streams by another role, with 20 ms each way."""
    pair = Pair(channels(dtls_client=False, seed=1), channels(dtls_client=False), impairments=Impairments(delay=0.02))
    pair.connect()
    pair.run(seconds=0.5)
    return pair


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Pair:
    """Two ends that have connected over a perfect network with 20 ms each way."""
    pair = make_pair(impairments=Impairments(delay=0.02))
    pair.connect()
    pair.run(seconds=0.5)
    pair.client_events.clear()
    pair.server_events.clear()
    return pair


@pytest.fixture
def make_attacker(make_pair: Callable[..., Pair]) -> Callable[[], Attacker]:
    def make() -> Attacker:
        pair = make_pair(impairments=Impairments(delay=0.02))
        pair.connect()
        pair.run(seconds=0.5)
        return Attacker(pair)

    return make


@pytest.fixture
def attacker(make_attacker: Callable[[], Attacker]) -> Attacker:
    return make_attacker()
