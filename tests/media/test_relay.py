"""A relay as a link, on virtual time: its server is a test double of coturn (tests/interop has a real one)."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from glottis.media.relay import Relay, RelayServer
from glottis.turn import Allocated, Failed, LongTermCredentials
from glottis.wire.address import Address, Datagram, Path
from support.memory import MEDIA, MemoryNetwork
from support.memory_turn import MemoryTurnServer
from support.turn_server import TurnServer

SERVER, OTHER = Address("198.51.100.7", 3478), Address("198.51.100.9", 3478)
LENT = "198.51.100.8"
PEER = Address("203.0.113.5", 40000)
CREDENTIALS = LongTermCredentials("user", "secret")


@dataclass(eq=False)
class Call:
    """What a session is to an endpoint."""

    heard: list[bytes] = field(default_factory=list)

    def receive(self, data: bytes, path: Path) -> None:
        self.heard.append(data)

    def refuse(self) -> None: ...

    def send_failed(self, error: Exception) -> None:
        raise error


@dataclass(eq=False)
class Peer:
    """Says back what it hears."""

    network: MemoryNetwork
    heard: list[tuple[bytes, Address]] = field(default_factory=list)
    public = PEER

    def arrive(self, data: bytes, source: Address) -> None:
        self.heard.append((data, source))
        self.network.carry(b"\x80 echo", PEER, source)


class Scene:
    def __init__(self, network: MemoryNetwork, server: MemoryTurnServer, relay: Relay, nursery: trio.Nursery) -> None:
        self.network = network
        self.endpoint = network.gateway
        self.server = server.server
        self.relay = relay
        self.nursery = nursery
        self.call = Call()
        self.peer = Peer(network)
        self.told: list[Allocated] = []
        self.failed: list[Failed] = []
        network.add(self.peer)

    @property
    def path(self) -> Path:
        return Path(self.relay.address, PEER, "relay")

    async def run(self) -> None:
        self.failed.append(await self.relay.run())

    async def settle(self) -> None:
        """Until nothing is under way: datagrams take no time, and sockets are read within 2 ms."""
        await trio.sleep(0.02)

    async def say(self, data: bytes) -> None:
        self.endpoint.send(Datagram(data, self.path), self.call)
        await self.settle()


@asynccontextmanager
async def open_scene(server: TurnServer | None = None) -> AsyncIterator[Scene]:
    network = MemoryNetwork()
    with network.gateway:
        scene: Scene
        relay = Relay(
            RelayServer("turn.example.org", SERVER, "udp", CREDENTIALS),
            network.gateway,
            MEDIA,
            rng=random.Random(1),
            told=lambda allocated: scene.told.append(allocated),
        )
        async with trio.open_nursery() as nursery:
            turn = MemoryTurnServer(network, server or TurnServer(SERVER, LENT))
            scene = Scene(network, turn, relay, nursery)
            nursery.start_soon(network.gateway.run)
            nursery.start_soon(scene.run)
            await scene.settle()
            yield scene
            nursery.cancel_scope.cancel()


async def test_datagrams_go_both_ways_by_the_paths_of_the_relayed_address(autojump_clock: trio.abc.Clock) -> None:
    async with open_scene() as scene:
        assert scene.told == [Allocated(Address(LENT, 49152), MEDIA, 600)]
        scene.endpoint.add_path(scene.path, scene.call, proven=True)
        for _ in range(30):
            await scene.say(b"\x80 hello")
        assert scene.peer.heard == [(b"\x80 hello", scene.relay.address)] * 30
        assert scene.call.heard == [b"\x80 echo"] * 30
        assert scene.server.relayed["channel"] > 10
        assert scene.relay.dropped_datagrams == scene.relay.ignored_datagrams == 0


async def test_check_by_the_relay_finds_its_session_by_the_ufrag(autojump_clock: trio.abc.Clock) -> None:
    check = b"\0\1\0\x10\x21\x12\xa4\x42" + bytes(12) + b"\0\6\0\x0bours:theirs\0"
    async with open_scene() as scene:
        scene.endpoint.add_ufrag("ours", scene.call)
        await scene.say(b"\x80")
        scene.network.carry(check, PEER, scene.relay.address)
        await scene.settle()
        assert scene.call.heard == [check]


async def test_relay_is_kept_for_hours(autojump_clock: trio.abc.Clock) -> None:
    async with open_scene() as scene:
        await trio.sleep(7200)
        await scene.say(b"\x80 hello")
        assert len(scene.peer.heard) == 1


async def test_lost_relay_says_why_and_what_is_sent_by_it_is_lost(autojump_clock: trio.abc.Clock) -> None:
    async with open_scene() as scene:
        path = scene.path
        scene.network.hide(SERVER)
        await trio.sleep(200)
        assert scene.failed == [Failed("the server does not answer")]
        scene.endpoint.send(Datagram(b"\x80", path), scene.call)
        assert scene.endpoint.sessions == 0


async def test_address_is_given_back_when_the_relay_ends(autojump_clock: trio.abc.Clock) -> None:
    async with open_scene() as scene:
        server = scene.server
        scene.nursery.cancel_scope.cancel()
    assert server.leases[MEDIA].expires_at <= trio.current_time()


async def test_alternate_server_is_asked_instead(autojump_clock: trio.abc.Clock) -> None:
    async with open_scene(TurnServer(SERVER, LENT, alternate=OTHER)) as scene:
        MemoryTurnServer(scene.network, TurnServer(OTHER, "198.51.100.10"))
        await trio.sleep(60)
        assert [allocated.relayed.host for allocated in scene.told] == ["198.51.100.10"]
        await scene.say(b"\x80 hello")
        assert len(scene.peer.heard) == 1


@pytest.mark.parametrize("password", ["secret", "wrong"])
async def test_relay_without_an_address_relays_nothing(autojump_clock: trio.abc.Clock, password: str) -> None:
    async with open_scene(TurnServer(SERVER, LENT, password=password, refuse=lambda message: 508)) as scene:
        assert scene.told == []
        assert scene.failed[0].code == (508 if password == "secret" else 401)
