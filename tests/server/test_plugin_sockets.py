"""WebSockets of plugins: who gets one, what its handler is told, and how it ends."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis import (
    DoorCall,
    DoorRefused,
    Route,
    RouteRequest,
    RouteResponse,
    RouteSocket,
    RoutesSpec,
    SocketRoute,
    hookimpl,
)
from support.gateway import CONFIG
from support.http import request
from support.memory import open_memory_exchange
from support.phone import Exchange, eventually
from support.route_socket import ask_for_socket, open_route_socket

ROUTES = CONFIG + '\n[routes]\nenabled = ["wire"]\n'
Clock = trio.testing.MockClock


class Wire:
    """A WebSocket for each kind of access, and one by which calls come in."""

    def __init__(self) -> None:
        self.requests: list[RouteRequest] = []
        self.calls: list[DoorCall] = []

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        routes: list[Route | SocketRoute] = [
            SocketRoute("/echo/{room}", "public", self.echo),
            SocketRoute("/of/{session_id}", "session", self.echo),
            SocketRoute("/boss", "operator", self.echo),
            SocketRoute("/call", "public", self.call),
            SocketRoute("/end", "principal", self.end),
            SocketRoute("/deaf", "principal", self.sleep),
            SocketRoute("/both", "public", self.echo),
            Route("GET", "/both", "public", self.answer),
        ]
        return [RoutesSpec("wire", lambda settings: routes, folder="/wire")]

    async def echo(self, asked: RouteRequest, socket: RouteSocket) -> None:
        self.requests.append(asked)
        while True:
            await socket.send(await socket.receive())

    async def call(self, asked: RouteRequest, socket: RouteSocket) -> None:
        assert asked.door is not None
        self.calls.append(await asked.door.call({"campaignId": "echo"}))
        await socket.send("there")
        await socket.receive()

    async def end(self, asked: RouteRequest, socket: RouteSocket) -> None:
        match await socket.receive():
            case "refuse":
                await socket.close(1008, "NO: say something else")
                await socket.receive()
            case "raise":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(socket.receive)
                    raise DoorRefused(400, "NO", "say something else")
            case "later":
                raise DoorRefused(503, "FULL", "come later")
            case "nonsense":
                raise DoorRefused(400, "a line\nof the log", "say something else")

    async def sleep(self, asked: RouteRequest, socket: RouteSocket) -> None:
        await trio.sleep_forever()

    async def answer(self, asked: RouteRequest) -> RouteResponse:
        return RouteResponse(204)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def exchange(wire: Wire, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, ROUTES, [wire]) as exchange:
        yield exchange


async def test_messages_of_both_kinds_come_and_go(wire: Wire, exchange: Exchange, autojump_clock: Clock) -> None:
    async with open_route_socket(exchange, "/wire/echo/blue?x=1", x_key="k") as client:
        for message in ("hello", b"\x00\xff", "ä" * 10_000):
            await client.send(message)
            assert await client.receive() == message
    (asked,) = wire.requests
    assert (asked.method, asked.path, asked.parameters, asked.query) == (
        "GET",
        "/echo/blue",
        {"room": "blue"},
        {"x": "1"},
    )
    assert (asked.headers["x-key"], asked.principal) == ("k", None)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/wire/nowhere", {}, 404),
        ("/wire/of/nobodys", {}, 404),
        ("/wire/boss", {}, 403),
        ("/wire/echo/blue", {"origin": "https://evil.example"}, 403),
    ],
)
async def test_who_may_not_have_it_is_refused_before_the_handshake(
    path: str, headers: dict[str, str], status: int, wire: Wire, exchange: Exchange, autojump_clock: Clock
) -> None:
    assert (await ask_for_socket(exchange, path, **headers)).status == status
    assert not wire.requests


async def test_session_s_creator_and_principals_may(exchange: Exchange, autojump_clock: Clock) -> None:
    phone = await exchange.call()
    async with open_route_socket(exchange, f"/wire/of/{phone.session_id}") as client:
        await client.send("mine")
        assert await client.receive() == "mine"


@pytest.mark.parametrize(
    ("word", "code", "reason", "counted"),
    [
        ("enough", 1000, "", {}),
        ("refuse", 1008, "NO: say something else", {}),
        ("raise", 1008, "NO: say something else", {"NO": 1}),
        ("later", 1013, "FULL: come later", {"FULL": 1}),
        ("nonsense", 1011, "internal error", {}),
    ],
)
async def test_handler_s_end_is_the_socket_s(
    word: str,
    code: int,
    reason: str,
    counted: dict[str, int],
    exchange: Exchange,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: Clock,
) -> None:
    async with open_route_socket(exchange, "/wire/end") as client:
        await client.send(word)
        closed = await client.closed()
    assert (closed.code, closed.reason or "") == (code, reason)
    assert exchange.gateway.refusals == counted
    assert ("Wire" in caplog.text or "failed" in caplog.text) is (code == 1011)


async def test_message_that_is_too_long_ends_it(exchange: Exchange, autojump_clock: Clock) -> None:
    async with open_route_socket(exchange, "/wire/echo/blue") as client:
        await client.send("a" * 70_000)
        assert (await client.closed()).code == 1009


async def test_requests_without_an_upgrade_are_told_so(exchange: Exchange, autojump_clock: Clock) -> None:
    async def ask(path: str) -> Any:
        return await request(exchange.gateway, "GET", path, connect=exchange.network.connect)

    assert (await ask("/wire/echo/blue")).document["code"] == "UPGRADE_REQUIRED"
    assert (await ask("/wire/both")).status == 204
    async with open_route_socket(exchange, "/wire/both") as client:
        await client.send("a")
        assert await client.receive() == "a"


async def test_calls_of_its_door_end_with_it(wire: Wire, exchange: Exchange, autojump_clock: Clock) -> None:
    async with open_route_socket(exchange, "/wire/call") as client:
        assert await client.receive() == "there"
        assert len(exchange.gateway.sessions) == 1
        client.cut()
        await eventually(lambda: wire.calls[0].is_over)
    assert not len(exchange.gateway.sessions)


async def test_handler_that_does_not_mind_its_client_s_end_is_cancelled(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, autojump_clock: Clock
) -> None:
    async with open_route_socket(exchange, "/wire/deaf") as client:
        client.cut()
        await trio.sleep(9)
        assert exchange.gateway.http.connection_count == 1
        await trio.sleep(25)
        assert exchange.gateway.http.connection_count == 0
    assert "route WEBSOCKET /deaf goes on without a client: it is cancelled" in caplog.text


async def test_those_of_strangers_give_way_until_they_have_a_call(
    wire: Wire, tmp_path: Path, autojump_clock: Clock
) -> None:
    crowded = ROUTES.replace("[server]", "[server]\nmax_connections = 8")
    async with open_memory_exchange(tmp_path, crowded, [wire]) as exchange, trio.open_nursery() as nursery:
        closed: list[int] = []

        async def keep(path: str, *, task_status: trio.TaskStatus[None]) -> None:
            async with open_route_socket(exchange, path) as client:
                task_status.started()
                closed.append((await client.closed()).code)

        await nursery.start(keep, "/wire/call")
        for _ in range(9):
            await nursery.start(keep, "/wire/echo/blue")
        await eventually(lambda: len(closed) >= 2)
        assert not wire.calls[0].is_over
        nursery.cancel_scope.cancel()
