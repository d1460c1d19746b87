"""Who waits at a listening socket is taken by turns, and only who stays gets a task."""

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trio
import trio.testing
from glottis.server.http.acceptor import RETRY_INTERVAL, Acceptor
from glottis.server.http.message import HttpLimits
from glottis.server.http.places import Place, Places, Stage
from glottis.server.http.proxies import TrustedProxies
from glottis.server.http.refusals import RefusalLog
from glottis.server.http.turns import BUDGET, Turns
from support.cost import OPERATIONS_PER_MS, operations

CROWD, NEIGHBOUR = "127.0.0.2", "127.0.0.1"
SHARE = 10
SHED_MS = 0.03
"""What a connection costs that gives way before it is begun."""
PATIENCE = 30


class Listening(socket.socket):
    """Which fails in these ways first."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, Any]:
        if self.failures:
            raise OSError(self.failures.pop(0), "a failure")
        return super().accept()


class Door:
    """An acceptor on loopback, and its clients."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.sockets = ExitStack()
        self.listening = self.sockets.enter_context(Listening())
        self.listening.failures = []
        self.listening.setblocking(False)
        self.listening.bind((NEIGHBOUR, 0))
        self.listening.listen(256)
        self.places = Places(
            HttpLimits(max_connections=4 * SHARE, max_connections_per_client=SHARE), TrustedProxies(), RefusalLog()
        )
        self.begun: list[Place] = []
        self.turns = Turns(clock=clock)
        self.acceptor = Acceptor(
            self.listening, self.places, self.turns, begin=self._begin, refuse=lambda host, problem: b"no"
        )
        self.sockets.callback(self.acceptor.close)

    def connect(self, host: str = NEIGHBOUR) -> socket.socket:
        client = self.sockets.enter_context(socket.socket())
        client.settimeout(PATIENCE)
        client.bind((host, 0))
        client.connect(self.listening.getsockname())
        return client

    async def take_turn(self) -> None:
        async with self.turns:
            self.acceptor.take_turn()

    def _begin(self, sock: socket.socket, place: Place) -> None:
        self.sockets.enter_context(sock)
        self.begun.append(place)


@pytest.fixture
async def door() -> Any:
    door = Door()
    with door.sockets:
        yield door


async def test_nobody_waits_behind_the_crowd_of_another_address(door: Door) -> None:
    crowd = [door.connect(CROWD) for _ in range(5 * SHARE)]
    door.connect(NEIGHBOUR)
    await door.take_turn()
    assert NEIGHBOUR in [place.host for place in door.begun]
    assert len(door.places) == SHARE + 1
    assert [client.recv(1) for client in crowd[: 4 * SHARE]] == [b""] * 4 * SHARE, "they are closed without a task"
    while len(door.begun) <= SHARE:
        await door.take_turn()
    await door.take_turn()
    assert [place.host for place in door.begun].count(CROWD) == SHARE


async def test_what_is_shed_costs_little(door: Door) -> None:
    """However many come, and whatever they hold."""
    for _ in range(2 * SHARE):
        door.connect(CROWD)
    await door.take_turn()
    for _ in range(10 * SHARE):
        door.connect(CROWD)
    async with door.turns:
        cost = operations(door.acceptor.take_turn)
    assert cost <= 10 * SHARE * SHED_MS * OPERATIONS_PER_MS


async def test_who_is_refused_is_told_without_a_task(door: Door) -> None:
    for _ in range(SHARE):
        door.places.move(door.places.enter(CROWD), Stage.SERVED)
    client = door.connect(CROWD)
    await door.take_turn()
    assert not door.begun
    assert client.recv(10) == b"no"
    assert client.recv(1) == b""


async def test_a_turn_ends_when_its_time_is_over() -> None:
    """The others are taken in the next ones."""
    looks: Iterator[float] = iter(BUDGET * number / 4 for number in range(1000))
    door = Door(clock=lambda: next(looks))
    with door.sockets:
        for _ in range(3 * SHARE):
            door.connect(CROWD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.acceptor.run)
            for expected in (4, 8):
                while len(door.places) < expected:
                    await trio.lowlevel.checkpoint()
                assert len(door.places) == expected
            await trio.testing.wait_all_tasks_blocked()
            assert len(door.places) == SHARE
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("shortage", [errno.EMFILE, errno.ENOBUFS])
async def test_a_shortage_is_told_once_and_waited_out(
    shortage: int, door: Door, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO)
    door.listening.failures = [shortage] * 3
    door.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.acceptor.run)
        await trio.sleep(2.5 * RETRY_INTERVAL)
        assert not door.begun
        await trio.sleep(RETRY_INTERVAL)
        assert len(door.begun) == 1
        nursery.cancel_scope.cancel()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert errno.errorcode[shortage] in caplog.messages[0]


async def test_a_connection_that_is_gone_before_it_is_taken_costs_nobody(door: Door) -> None:
    door.listening.failures = [errno.ECONNABORTED, errno.EHOSTUNREACH]
    door.connect()
    await door.take_turn()
    assert len(door.begun) == 1


async def test_who_waits_in_line_at_the_end_is_closed_and_leaves_no_place(door: Door) -> None:
    crowd = [door.connect(CROWD) for _ in range(SHARE)]
    await door.take_turn()
    with trio.CancelScope() as scope:
        scope.cancel()
        await door.acceptor.run()
    waiting = crowd[len(door.begun) :]
    assert waiting
    assert [client.recv(1) for client in waiting] == [b""] * len(waiting)
    for place in door.begun:
        door.places.leave(place)
    assert len(door.places) == 0


async def test_a_request_beside_an_idle_crowd_is_answered(site: Any, nursery: trio.Nursery) -> None:
    """By a server with tasks, on a real socket."""
    server = site.server(HttpLimits(max_connections=40, max_connections_per_client=SHARE))
    [listener] = await trio.open_tcp_listeners(0, host=NEIGHBOUR)
    name = listener.socket.getsockname()
    with ExitStack() as sockets:
        for _ in range(100):
            client = sockets.enter_context(socket.socket())
            client.bind((CROWD, 0))
            client.connect(name)
        nursery.start_soon(server.serve, [listener])
        with trio.fail_after(PATIENCE):
            async with await trio.open_tcp_stream(*name) as stream:
                await stream.send_all(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert b"200 OK" in await stream.receive_some()
        assert len(site.requests) == 1
        assert server.connection_count <= SHARE + 1
        server.drain()
