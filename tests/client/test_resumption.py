"""A caller that loses its WebSocket, or its media, comes back to the same agent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from glottis import AudioFrame, Call, TextMessage
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.resumption import Resumption, pauses, resumption_of
from glottis.ice import IceTiming
from glottis.peer import PeerConnection
from glottis.server.gateway import Gateway
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.messages import Event
from support.memory import open_memory_exchange_with
from support.memory_call import open_memory_call
from support.phone import RATE, TONE, eventually, installed_codec, webrtc_leg
from support.plugins import TestPlugin
from support.wires import open_wired_gateway
from trio.testing import MockClock

HASTY = IceTiming(consent_interval=0.1, silence=0.2, answer_time=0.1, consent_lifetime=0.8)
CODECS = (installed_codec("PCMU"),)
FRAME = AudioFrame(TONE, RATE)


async def count(call: Call) -> None:
    """Texts, twenty in a second, while sound goes on."""
    call.nursery.start_soon(hum, call)
    number = 0
    while True:
        await call.send_text(str(number))
        number += 1
        await trio.sleep(0.05)


async def hum(call: Call) -> None:
    while True:
        await call.say(FRAME)


class Following:
    """A call in progress, with what it was told."""

    def __init__(self, gateway: Gateway, call: ClientCall, cut: Callable[[], None]) -> None:
        self.gateway = gateway
        self.cut = cut
        self.call = call
        self.texts: list[str] = []
        self.signaling: list[str] = []
        self.passes = True
        connection = self.peer
        handle = connection.handle_datagram
        connection.handle_datagram = lambda data, path, now: self.passes and handle(data, path, now)  # type: ignore[method-assign]

    @property
    def peer(self) -> PeerConnection:
        """The gateway's end."""
        (session,) = self.gateway.sessions
        return webrtc_leg(session).peer

    async def collect(self) -> None:
        async for message in self.call.messages:
            assert isinstance(message, TextMessage)
            self.texts.append(message.text)

    async def watch(self) -> None:
        async for event in self.call.events:
            if event.name == "signaling":
                self.signaling.append(event.data["state"])

    def received(self) -> int:
        """Packets of audio."""
        inbound = self.call.statistics().inbound_rtp
        return inbound.packets_received if inbound is not None else 0


@asynccontextmanager
async def in_a_call(tmp_path: Path) -> AsyncIterator[Following]:
    plugin = TestPlugin(count=count)
    async with (
        open_wired_gateway(tmp_path, plugin.config(), [plugin]) as (gateway, wires),
        open_client_call(CallRequest(gateway.url, CODECS, "count", 8000)) as call,
        follow(gateway, call, wires.cut) as following,
    ):
        yield following


@asynccontextmanager
async def follow(
    gateway: Gateway, call: ClientCall, cut: Callable[[], None] = lambda: None
) -> AsyncIterator[Following]:
    await call.connected.wait()
    following = Following(gateway, call, cut)
    call.nursery.start_soon(following.collect)
    call.nursery.start_soon(following.watch)
    await eventually(lambda: following.texts and following.received() > 5)
    yield following


async def lose_socket(following: Following) -> None:
    """And come back, until ICE has restarted: by then the caller knows how to come back once more."""
    before, seen = following.peer.local_ufrags[0], len(following.signaling)
    following.cut()
    await eventually(lambda: following.signaling[seen:] == ["lost", "resumed"])
    await eventually(lambda: before not in following.peer.local_ufrags)
    told = len(following.texts)
    await eventually(lambda: len(following.texts) > told)


@pytest.mark.slow
async def test_a_caller_without_its_socket_comes_back_to_the_same_agent_and_its_texts(tmp_path: Path) -> None:
    async with in_a_call(tmp_path) as following:
        await lose_socket(following)
        await lose_socket(following)
        numbers = [int(text) for text in following.texts]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] + 1 - len(numbers) <= 4  # what was under way when the line was cut, twice
        packets = following.received()
        await eventually(lambda: following.received() > packets + 5)
        assert following.peer.state.value == "connected"


@pytest.mark.slow
async def test_a_caller_whose_media_fails_restarts_ice(tmp_path: Path, autojump_clock: MockClock) -> None:
    plugin, hasty = TestPlugin(count=count), SessionTimes(ice=HASTY)
    async with (
        open_memory_exchange_with(tmp_path, plugin, times=hasty) as exchange,
        open_memory_call(exchange, CallRequest("", CODECS, "count", 8000)) as call,
        follow(exchange.gateway, call) as following,
    ):
        before = following.peer.local_ufrags[0]
        following.passes = False
        await eventually(lambda: following.peer.local_ufrags[0] != before)
        following.passes = True
        await eventually(lambda: following.peer.state.value == "connected")
        packets = following.received()
        await eventually(lambda: following.received() > packets + 5)
        assert following.signaling == []


@pytest.mark.parametrize(
    "asked", [Event("connection", {"state": "failed"}), Event("restart_ice", {"reason": "why not"})]
)
async def test_two_reasons_at_once_to_look_for_another_way_make_one_restart(
    asked: Event, tmp_path: Path, autojump_clock: MockClock
) -> None:
    plugin = TestPlugin(count=count)
    async with (
        open_memory_exchange_with(tmp_path, plugin) as exchange,
        open_memory_call(exchange, CallRequest("", CODECS, "count", 8000)) as call,
        follow(exchange.gateway, call) as following,
    ):
        before = following.peer.local_ufrags[0]
        (session,) = exchange.gateway.sessions
        for _ in range(2):
            session.say(asked)
        await eventually(lambda: before not in following.peer.local_ufrags)
        packets = following.received()
        await eventually(lambda: following.received() > packets + 5)


@pytest.mark.slow
async def test_who_loses_both_hears_the_agent_go_on(tmp_path: Path) -> None:
    async with in_a_call(tmp_path) as following:
        following.passes = False
        following.cut()
        await eventually(lambda: following.signaling == ["lost", "resumed"])
        following.passes = True
        packets = following.received()
        await eventually(lambda: following.received() > packets + 5)


def test_attempts_come_at_growing_intervals() -> None:
    intervals = pauses()
    assert [next(intervals) for _ in range(8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"websocketUrl": 1, "graceSeconds": 1},
        {"websocketUrl": "ws://x"},
        {"websocketUrl": "ws://x", "graceSeconds": 0},
    ],
)
def test_a_resumption_that_says_too_little_is_none(data: dict[str, object]) -> None:
    assert resumption_of(data) is None


def test_a_resumption_does_not_show_its_token() -> None:
    told = resumption_of({"websocketUrl": "ws://x/?token=secret", "graceSeconds": 30})
    assert isinstance(told, Resumption)
    assert "secret" not in repr(told)
