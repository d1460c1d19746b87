"""Wherever a call is when it is ended, nothing of it stays (law 5)."""

import gc
import os
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.peer import PeerConnection
from glottis.server.gateway import Gateway
from glottis.server.sessions.channel import SignalingChannel
from glottis.server.sessions.session import Session
from glottis.server.sessions.states import SessionState
from glottis.signaling.messages import Answer, Bye
from glottis.wire.demux import PacketKind, classify
from support.gateway import open_test_gateway
from support.memory import (
    MemoryNetwork,
    open_memory_exchange,
    open_memory_exchange_with,
    open_memory_gateway,
)
from support.phone import Exchange, Loopback, Network, Phone, eventually, open_exchange
from support.plugins import Footprint, TestPlugin

# Each takes a new phone to one phase of a call, and leaves it there


async def created(phone: Phone) -> None:
    await phone.create("talker")


async def socket_open(phone: Phone) -> None:
    await created(phone)
    await phone.open_socket()


async def offer_sent(phone: Phone) -> None:
    await socket_open(phone)
    await phone.send_offer()


async def answered(phone: Phone) -> None:
    await offer_sent(phone)
    await eventually(lambda: phone.socket.of_type(Answer))


async def checking(phone: Phone) -> None:
    phone.cable.lets_out = lambda data: False
    await offer_sent(phone)
    await phone.take_answer()


async def shaking_hands(phone: Phone) -> None:
    phone.cable.lets_out = lambda data: classify(data) is not PacketKind.DTLS
    await offer_sent(phone)
    await phone.take_answer()
    await eventually(lambda: phone.peer.transport.ice.selected_pair)


async def connected(phone: Phone) -> None:
    await phone.connect("echo")


async def talking(phone: Phone) -> None:
    await phone.connect("echo")
    await phone.hear(2)


async def listening_to_the_agent(phone: Phone) -> None:
    phone.speaking = False
    await phone.connect("talker")
    await phone.hear(2)


async def ending(phone: Phone) -> None:
    await talking(phone)
    await phone.socket.send(Bye())


PHASES = [
    created,
    socket_open,
    offer_sent,
    answered,
    checking,
    shaking_hands,
    connected,
    talking,
    listening_to_the_agent,
    ending,
]
each_phase = pytest.mark.parametrize("reach", PHASES)
Reach = Callable[[Phone], Awaitable[None]]


def the_session(gateway: Gateway, session_id: str) -> Session | None:
    return gateway.sessions.find(session_id)


@each_phase
async def test_a_call_that_is_ended_in_any_phase_leaves_nothing(
    reach: Reach, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        gateway = exchange.gateway
        before = await Footprint.at_rest(gateway)
        phone = exchange.phone()
        await reach(phone)
        session = the_session(gateway, phone.session_id)
        if session is not None:
            session.end("the test ends it")
            assert (len(gateway.sessions), gateway.endpoint.sessions, len(gateway.scheduler)) == (0, 0, 0)
        phone.hang_down()
        await eventually(lambda: Footprint.of(gateway) == before)
        assert session is None or session.state is SessionState.ENDED


@each_phase
async def test_a_gateway_that_is_cancelled_in_any_phase_leaves_nothing(
    reach: Reach, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    network = MemoryNetwork()
    with network.gateway:
        await cancel_gateway(reach, partial(open_memory_gateway, tmp_path, network), network)


async def test_a_gateway_that_is_cancelled_gives_its_sockets_back(tmp_path: Path) -> None:
    await cancel_gateway(talking, partial(open_test_gateway, tmp_path), Loopback())


async def cancel_gateway(
    reach: Reach, open_gateway: Callable[[], AbstractAsyncContextManager[Gateway]], network: Network
) -> None:
    """And look at what is left of it."""

    def footprint() -> tuple[int, int]:
        return trio.lowlevel.current_statistics().tasks_living, len(os.listdir("/proc/self/fd"))

    async def serve(*, task_status: trio.TaskStatus[tuple[Gateway, trio.CancelScope]]) -> None:
        with trio.CancelScope() as scope:
            async with open_gateway() as gateway:
                task_status.started((gateway, scope))
                await trio.sleep_forever()

    await trio.testing.wait_all_tasks_blocked()
    before = footprint()
    async with trio.open_nursery() as nursery:
        gateway, serving = await nursery.start(serve)
        async with open_exchange(gateway, network) as exchange:
            phone = exchange.phone()
            await reach(phone)
            serving.cancel()
            if phone.sockets:
                assert (await phone.wait_closed())[0] in (1000, 1012)
    assert footprint() == before
    assert (len(gateway.sessions), gateway.endpoint.sessions, len(gateway.scheduler)) == (0, 0, 0)


@each_phase
async def test_a_client_that_leaves_in_any_phase_leaves_nothing(
    reach: Reach, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    times = "resume_grace = 0.1\ntoken_lifetime = 0.5"
    async with open_memory_exchange_with(tmp_path, TestPlugin(), times) as exchange:
        gateway = exchange.gateway
        before = await Footprint.at_rest(gateway)
        phone = exchange.phone()
        await reach(phone)
        phone.vanish()
        await eventually(lambda: Footprint.of(gateway) == before, 2)


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@each_phase
@pytest.mark.usefixtures("without_collector")
async def test_a_call_that_is_ended_in_any_phase_is_freed_without_a_garbage_collection(
    reach: Reach, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = exchange.phone()
        await reach(phone)
        watched = [weakref.ref(part) for part in parts_of(exchange.gateway, phone.session_id)]
        session = the_session(exchange.gateway, phone.session_id)
        if session is not None:
            session.end("the test ends it")
            del session
        await eventually(lambda: not any(part() for part in watched))


def parts_of(gateway: Gateway, session_id: str) -> list[Any]:
    """Each of which was in a circle of references once."""
    session = the_session(gateway, session_id)
    if session is None:
        return []
    leg = cast(WebRtcLeg, session.leg)
    parts = [session, session.call, session.line, leg, leg.driver, leg.peer, leg.peer.transport.ice]
    channels = leg.peer.channels
    if channels is not None:
        parts += [channels, channels.association]
    return parts + [part for part in gc.get_referents(session.line) if isinstance(part, SignalingChannel)]


@pytest.mark.parametrize("reach", PHASES[PHASES.index(socket_open) :])
async def test_a_client_that_closes_its_websocket_in_any_phase_leaves_nothing(
    reach: Reach, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        gateway = exchange.gateway
        before = await Footprint.at_rest(gateway)
        phone = exchange.phone()
        await reach(phone)
        await phone.socket.close(None)
        await eventually(lambda: len(gateway.sessions) == 0)
        phone.go_silent()
        await eventually(lambda: Footprint.of(gateway) == before)


@pytest.mark.realtime
async def test_200_calls_leave_no_object_task_or_descriptor_and_memory_on_a_plateau(tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path) as gateway, open_exchange(gateway) as exchange:
        before = await Footprint.at_rest(gateway)
        await make_calls(exchange, 100)
        plateau = resident_bytes()
        await make_calls(exchange, 100)
        await eventually(lambda: Footprint.of(gateway) == before)
        assert resident_bytes() - plateau < 100 * 50_000  # a single end of a call takes more
        gc.collect()
        left = [type(thing) for thing in gc.get_objects() if isinstance(thing, Session | PeerConnection)]
        assert left == []


async def make_calls(exchange: Exchange, count: int) -> None:
    for _ in range(count // 10):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(partial(make_call, exchange))


async def make_call(exchange: Exchange) -> None:
    phone = await exchange.call()
    await phone.hang_up()


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
