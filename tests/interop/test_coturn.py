"""Relays on a real coturn: over UDP, TCP and TLS, with what it may ask for, refuse, forget, or die of."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import trio
from glottis import AudioFrame
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.ice_servers import read_ice_server
from glottis.media.endpoint import UdpEndpoint
from glottis.media.relay import Relay, RelayServer
from glottis.signaling.messages import Answer
from glottis.turn import Allocated, Failed, LongTermCredentials, TurnTiming
from glottis.wire.address import Address, Datagram
from glottis.wire.address import Path as WirePath
from support.coturn import NAME, PASSWORD, USERNAME, WITH_SECRET, Coturn, ephemeral, open_coturn
from support.gateway import CONFIG, open_test_gateway
from support.installed import installed_plugins
from support.patience import PATIENCE, PROCESS_PATIENCE
from support.phone import eventually, open_exchange, webrtc_leg

OPUS = installed_plugins().codecs.find("opus").spec
CREDENTIALS = LongTermCredentials(USERNAME, PASSWORD)
TRANSPORTS: tuple[Literal["udp", "tcp", "tls"], ...] = ("udp", "tcp", "tls")


@dataclass(eq=False)
class Caller:
    """What a call is to an endpoint."""

    heard: list[tuple[bytes, WirePath]] = field(default_factory=list)

    def receive(self, data: bytes, path: WirePath) -> None:
        self.heard.append((data, path))

    def refuse(self) -> None:
        raise AssertionError

    def send_failed(self, error: Exception) -> None:
        raise error


class Scene:
    """A relay that runs, and a peer with a socket of its own."""

    def __init__(self, endpoint: UdpEndpoint, relay: Relay, peer: trio.socket.SocketType) -> None:
        self.endpoint = endpoint
        self.relay = relay
        self.peer = peer
        self.caller = Caller()
        self.allocated: list[Allocated] = []
        self.failed: list[Failed] = []

    async def run(self) -> None:
        self.failed.append(await self.relay.run())

    async def until(self, condition: Any) -> None:
        await eventually(condition)

    @property
    def path(self) -> WirePath:
        return WirePath(self.relay.address, Address(*self.peer.getsockname()[:2]), "relay")

    def say(self, data: bytes) -> None:
        self.endpoint.send(Datagram(data, self.path), self.caller)

    async def exchange(self, count: int) -> None:
        """A call's packets, there and back."""
        self.endpoint.add_path(self.path, self.caller, proven=True)
        self.caller.heard.clear()
        for number in range(count):
            self.say(b"\x80 there %d" % number)
            with trio.fail_after(PATIENCE):
                data, sender = await self.peer.recvfrom(2048)
            assert data == b"\x80 there %d" % number
            assert sender[:2] == self.relay.address
            await self.peer.sendto(b"\x80 back %d" % number, sender)
            await self.until(lambda number=number: len(self.caller.heard) == number + 1)
        assert self.caller.heard == [(b"\x80 back %d" % number, self.path) for number in range(count)]


@asynccontextmanager
async def open_scene(
    coturn: Coturn,
    transport: Literal["udp", "tcp", "tls"] = "udp",
    *,
    host: str = "127.0.0.1",
    credentials: LongTermCredentials = CREDENTIALS,
    timing: TurnTiming | None = None,
    port: int = 0,
) -> AsyncIterator[Scene]:
    address = Address(host, coturn.tls_port if transport == "tls" else coturn.port)
    with UdpEndpoint.bind([host], port) as endpoint:
        scene: Scene
        relay = Relay(
            RelayServer(NAME, address, transport, credentials),
            endpoint,
            endpoint.addresses[0],
            rng=random.SystemRandom(),
            told=lambda allocated: scene.allocated.append(allocated),
            timing=timing or TurnTiming(),
            tls=coturn.trust,
        )
        family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
        with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as peer:
            await peer.bind((host, 0))
            scene = Scene(endpoint, relay, peer)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(endpoint.run)
                nursery.start_soon(scene.run)
                await scene.until(lambda: scene.allocated or scene.failed)
                yield scene
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_call_goes_by_a_relay(tmp_path: Path, transport: Literal["udp", "tcp", "tls"], host: str) -> None:
    async with open_coturn(tmp_path) as coturn, open_scene(coturn, transport, host=host) as scene:
        (allocated,) = scene.allocated
        assert allocated.relayed.host == host
        if transport == "udp":
            assert allocated.mapped == scene.endpoint.addresses[0]
        await scene.exchange(30)
        assert scene.relay.ignored_datagrams == scene.relay.dropped_datagrams == 0


async def test_ephemeral_credentials_are_those_of_use_auth_secret(tmp_path: Path) -> None:
    async with (
        open_coturn(tmp_path, users=WITH_SECRET) as coturn,
        open_scene(coturn, credentials=LongTermCredentials(*ephemeral(3600))) as scene,
    ):
        await scene.exchange(3)


async def test_expired_credentials_are_told_by_name(tmp_path: Path) -> None:
    async with (
        open_coturn(tmp_path, users=WITH_SECRET) as coturn,
        open_scene(coturn, credentials=LongTermCredentials(*ephemeral(-60))) as scene,
    ):
        assert scene.failed == [Failed("the server does not accept the credentials", 401)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_server_that_names_another_is_followed(tmp_path: Path, transport: Literal["udp", "tcp"]) -> None:
    (tmp_path / "other").mkdir()
    async with (
        open_coturn(tmp_path / "other") as other,
        open_coturn(tmp_path, f"--alternate-server=127.0.0.1:{other.port}") as coturn,
        open_scene(coturn, transport) as scene,
    ):
        await scene.exchange(3)
        assert ["ALLOCATE processed, success" in each.log.read_text() for each in (coturn, other)] == [False, True]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_stale_nonces_are_renewed(tmp_path: Path, transport: Literal["udp", "tcp", "tls"]) -> None:
    async with (
        open_coturn(tmp_path, "--stale-nonce=1") as coturn,
        open_scene(coturn, transport, timing=TurnTiming(refresh=1.1)) as scene,
    ):
        with trio.fail_after(PATIENCE):
            while coturn.log.read_text().count("refreshed") < 3:
                await scene.exchange(3)
        assert scene.failed == []


async def test_wrong_credentials_are_told_by_name(tmp_path: Path) -> None:
    async with (
        open_coturn(tmp_path) as coturn,
        open_scene(coturn, credentials=LongTermCredentials(USERNAME, "wrong")) as scene,
    ):
        assert scene.failed == [Failed("the server does not accept the credentials", 401)]


async def test_quota_is_told_by_name(tmp_path: Path) -> None:
    async with (
        open_coturn(tmp_path, "--user-quota=1") as coturn,
        open_scene(coturn) as first,
        open_scene(coturn) as second,
    ):
        assert first.failed == []
        assert second.failed == [Failed("the user has as many allocations as the server permits", 486)]


async def test_forbidden_peer_gets_nothing_and_others_do(tmp_path: Path) -> None:
    async with open_coturn(tmp_path, "--denied-peer-ip=127.0.0.9") as coturn, open_scene(coturn) as scene:
        scene.endpoint.send(
            Datagram(b"\x80", WirePath(scene.relay.address, Address("127.0.0.9", 4000), "relay")), scene.caller
        )
        await scene.until(lambda: scene.relay.dropped_datagrams)
        await scene.exchange(3)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_server_that_is_killed_is_noticed_at_once(tmp_path: Path, transport: Literal["tcp", "tls"]) -> None:
    async with open_coturn(tmp_path) as coturn, open_scene(coturn, transport) as scene:
        await scene.exchange(3)
        coturn.kill()
        await scene.until(lambda: scene.failed)
        scene.say(b"\x80 nobody hears this")


async def test_server_that_is_killed_is_noticed_over_udp(tmp_path: Path) -> None:
    timing = TurnTiming(rto=0.05, transmissions=4, refresh=0.2)
    async with open_coturn(tmp_path) as coturn, open_scene(coturn, timing=timing) as scene:
        await scene.exchange(3)
        coturn.kill()
        await scene.until(lambda: scene.failed)
        assert scene.failed == [Failed("the server does not answer")]


async def test_address_is_released_when_the_relay_ends(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        for number, transport in enumerate(TRANSPORTS, 1):
            async with open_scene(coturn, transport) as scene:
                assert scene.failed == []
            await eventually(lambda number=number: coturn.log.read_text().count("lifetime=0") >= number)  # type: ignore[misc]


async def test_gateway_that_starts_anew_on_its_port_finds_no_place_taken(tmp_path: Path) -> None:
    """Though its predecessor had no time to release anything."""
    async with open_coturn(tmp_path) as coturn:
        async with open_scene(coturn) as scene:
            port = scene.endpoint.addresses[0].port
            scene.endpoint.send = lambda datagram, sender: None  # type: ignore[method-assign]
        async with open_scene(coturn, port=port) as scene:
            await scene.exchange(3)


async def test_certificate_of_somebody_else_is_refused(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
            server = RelayServer("other.example.org", Address("127.0.0.1", coturn.tls_port), "tls", CREDENTIALS)
            relay = Relay(server, endpoint, endpoint.addresses[0], rng=random.SystemRandom(), tls=coturn.trust)
            failed = await relay.run()
    untrusted = "there is no connection: its certificate is not trusted"
    assert failed.reason.startswith(f"{untrusted} (Hostname mismatch")


async def test_nobody_listens(tmp_path: Path) -> None:
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        relay = Relay(
            RelayServer(NAME, Address("127.0.0.1", 9), "tcp", CREDENTIALS),
            endpoint,
            endpoint.addresses[0],
            rng=random.SystemRandom(),
        )
        failed = await relay.run()
    assert failed.reason == "there is no connection: Connection refused"


# Whole calls

TURN_CALLS = """
[media]
ice_policy = "relay"

[[ice_servers.settings.static.servers]]
urls = ["{url}"]
username = "user"
credential = "secret"
"""


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_whole_call_goes_by_a_relay(
    tmp_path: Path, transport: Literal["udp", "tcp", "tls"], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_coturn(tmp_path, name="localhost") as coturn:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        async with (
            open_test_gateway(tmp_path, CONFIG + TURN_CALLS.format(url=coturn.url(transport))) as gateway,
            open_exchange(gateway) as exchange,
        ):
            phone = await exchange.call()
            assert "typ host" not in phone.socket.of_type(Answer)[0].sdp
            assert phone.path.remote not in gateway.endpoint.addresses
            await phone.hear(25)
            assert gateway.counts().datagrams_not_relayed == gateway.counts().turn_messages_ignored == 0


async def test_caller_of_relays_alone_uses_the_servers_that_a_relayed_gateway_names(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        config = CONFIG + TURN_CALLS.format(url=f"turn:127.0.0.1:{coturn.port}")
        async with open_test_gateway(tmp_path, config) as gateway:
            request = CallRequest(gateway.url, (OPUS,), ice_policy="relay")
            assert await talk(request) == ("relay", "relay")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_caller_brings_a_server_of_its_own(
    tmp_path: Path, transport: Literal["udp", "tcp", "tls"], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_coturn(tmp_path, name="localhost") as coturn, open_test_gateway(tmp_path) as gateway:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        server = read_ice_server(f"{coturn.url(transport)},{USERNAME},{PASSWORD}")
        request = CallRequest(gateway.url, (OPUS,), ice_policy="relay", ice_servers=(server,))
        assert await talk(request) == ("relay", "host")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_call_outlives_a_server_that_is_killed_and_started_anew(
    tmp_path: Path, transport: Literal["udp", "tcp", "tls"], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_coturn(tmp_path, name="localhost") as coturn:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        config = CONFIG + TURN_CALLS.format(url=coturn.url(transport))
        async with open_test_gateway(tmp_path, config) as gateway:
            request = CallRequest(gateway.url, (OPUS,), "talker", ice_policy="relay")
            with trio.fail_after(PROCESS_PATIENCE):
                async with open_client_call(request) as call:
                    await call.connected.wait()
                    await hear_more(call)
                    coturn.kill()
                    coturn.start()
                    (session,) = gateway.sessions
                    before = webrtc_leg(session).peer.local_ufrags[0]
                    await eventually(lambda: before not in webrtc_leg(session).peer.local_ufrags)
                    await hear_more(call)


async def hear_more(call: ClientCall) -> None:
    def heard() -> int:
        inbound = call.statistics().inbound_rtp
        return inbound.packets_received if inbound is not None else 0

    before = heard()
    await eventually(lambda: heard() > before + 10)


async def hear_echo(call: ClientCall) -> None:
    for _ in range(10):
        await call.say(AudioFrame(bytes(1920), 48000))
    await anext(aiter(call.audio))


async def talk(request: CallRequest) -> tuple[str, str]:
    """The kinds of candidates, ours and the gateway's, of the pair by which an echo was heard."""
    with trio.fail_after(PATIENCE):
        async with open_client_call(request) as call:
            await call.connected.wait()
            await hear_echo(call)
    pair = call.statistics().candidate_pair
    assert pair is not None
    return pair.local_candidate_type, pair.remote_candidate_type
