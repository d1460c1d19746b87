"""Whatever a TURN server says, it ends no call that has another path, and costs a bounded number of answers."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import AudioFrame, CallInfo, IceServer
from glottis.client.calling import CallRequest, open_client_call
from glottis.wire.address import Address
from glottis.wire.channel_data import build_channel_data
from support.gateway import open_test_gateway
from support.installed import installed_plugins
from support.memory import MemoryNetwork, open_memory_exchange
from support.memory_turn import MemoryTurnServer
from support.phone import TONE, eventually
from support.plugins import TestPlugin
from support.turn_server import CREATE_PERMISSION, REFRESH, TurnServer, data_indication

SERVERS = tuple(Address(f"203.0.113.{number}", 3478) for number in (1, 2, 3))
STRANGER = Address("203.0.113.66", 6666)
MOST_REQUESTS = 50
"""Of one server in the ten seconds of a call, of all kinds."""


def garbage(data: bytes) -> list[bytes]:
    """Noise before and behind each reply, and the reply cut short."""
    rng = random.Random(len(data))
    return [*(rng.randbytes(rng.randrange(1, 1500)) for _ in range(50)), data[:-5], data]


def data_of_others(data: bytes) -> list[bytes]:
    """Of peers that nobody has permitted, on channels that nobody has bound, and a check that nobody asked for."""
    media = bytes((0x80, 0, 0, 1)) + bytes(60)
    return [data, *(data_indication(media, STRANGER) for _ in range(50)), build_channel_data(0x4001, media)]


def forget(message: Any) -> int | None:
    return 437 if message.method in (REFRESH, CREATE_PERMISSION) else None


HOSTILE: dict[str, dict[str, Any]] = {
    "redirects to itself": {"alternate": SERVERS[0]},
    "errors": {"refuse": lambda message: 500},
    "errors of no meaning": {"refuse": lambda message: 699},
    "garbage": {"replies": garbage},
    "data of others": {"replies": data_of_others},
    "redirects inward": {"alternate": Address("127.0.0.1", 3478)},
    "redirects to nobody": {"alternate": STRANGER},
    "stale for ever": {"nonce_uses": 0},
    "lends and forgets": {"refuse": forget},
}


class Provider:
    def __init__(self, *urls: str) -> None:
        self.servers = [IceServer((url,), "user", "secret") for url in urls]

    async def get_ice_servers(self, call_info: CallInfo) -> list[IceServer]:
        return self.servers


@pytest.mark.parametrize("kinds", [tuple(HOSTILE)[start : start + 3] for start in (0, 3, 6)], ids=" and ".join)
@pytest.mark.slow
async def test_a_call_that_has_another_path_goes_on(
    kinds: tuple[str, ...], tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    plugin = TestPlugin(ice_servers=Provider(*(f"turn:{server.host}" for server in SERVERS)))
    async with open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange:
        assert isinstance(exchange.network, MemoryNetwork)
        servers = []
        for address, kind in zip(SERVERS, kinds, strict=True):
            servers.append(TurnServer(address, f"198.51.100.{address.host[-1]}", **HOSTILE[kind]))
            MemoryTurnServer(exchange.network, servers[-1])
        phone = await exchange.call()
        await phone.hear()
        await trio.sleep(10)
        await phone.hear()
        assert phone.socket.closed is None
        assert [event["state"] for event in phone.socket.events("connection")][-1] == "connected"
        assert all(0 < server.requests.total() < MOST_REQUESTS for server in servers)


async def lie_about_lengths(stream: trio.SocketStream) -> None:
    """Announces more than it sends, byte by byte."""
    await stream.send_all(bytes((1, 3, 0xFF, 0xFC)) + b"\x21\x12\xa4\x42")
    await trio.sleep_forever()


async def send_nonsense(stream: trio.SocketStream) -> None:
    await stream.send_all(random.Random(1).randbytes(100_000))


async def send_empty_messages(stream: trio.SocketStream) -> None:
    """Of the least length, as many as go."""
    while True:
        await stream.send_all(build_channel_data(0x4000, b"") * 100)


async def close_at_once(stream: trio.SocketStream) -> None:
    await stream.aclose()


@pytest.mark.realtime
@pytest.mark.parametrize("behave", [lie_about_lengths, send_nonsense, send_empty_messages, close_at_once])
async def test_a_server_on_a_stream_ends_no_call_either(behave: Callable[..., Any], tmp_path: Path) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await behave(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        plugin = TestPlugin(ice_servers=Provider(f"turn:127.0.0.1:{port}?transport=tcp"))
        codecs = (installed_plugins().codecs.find("PCMU").spec,)
        async with (
            open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway,
            open_client_call(CallRequest(gateway.url, codecs, sample_rate=16000)) as call,
        ):
            await call.connected.wait()
            call.nursery.start_soon(call.say, AudioFrame(50 * TONE, 16000))
            await eventually(lambda: heard(call.statistics()) > 40)
        nursery.cancel_scope.cancel()


def heard(statistics: Any) -> int:
    inbound = statistics.inbound_rtp
    return inbound.packets_received if inbound is not None else 0
