"""Routes of plugins in a whole gateway, as its configuration enables them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio.testing
from glottis import (
    ConfigurationError,
    DoorRefused,
    Route,
    RouteRequest,
    RouteResponse,
    RouteSocket,
    RoutesSpec,
    SocketRoute,
    hookimpl,
)
from glottis.server.http.message import closing_response
from glottis.server.http.problem import Problem
from support.gateway import CONFIG, resolve_test_config
from support.http import Reply, request
from support.memory import open_memory_exchange
from support.phone import Exchange


class Shelf:
    """A route for whoever has created a session, and one for operators."""

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        routes = [Route("GET", "/{session_id}", "session", answer), Route("GET", "/", "operator", answer)]
        return [RoutesSpec("shelf", lambda settings: routes)]


async def answer(request: RouteRequest) -> RouteResponse:
    return RouteResponse.json(dict(request.parameters))


ROUTES = CONFIG + '\n[routes]\nenabled = ["shelf"]\n'
OPERATED = ROUTES.replace('scheme = "anonymous"', 'scheme = "anonymous"\noperators = ["anonymous"]')


async def ask(exchange: Exchange, path: str) -> Reply:
    return await request(exchange.gateway, "GET", f"/api/plugins/shelf/{path}", connect=exchange.network.connect)


async def test_session_is_known_to_its_creator_and_for_a_while_after_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, ROUTES, [Shelf()]) as exchange:
        phone = await exchange.call()
        assert (await ask(exchange, phone.session_id)).document == {"session_id": phone.session_id}
        assert (await ask(exchange, "another")).document["code"] == "SESSION_NOT_FOUND"
        await phone.hang_up()
        assert (await ask(exchange, phone.session_id)).status == 200
        await trio.sleep(901)
        assert (await ask(exchange, phone.session_id)).status == 404


@pytest.mark.parametrize(("config", "status"), [(ROUTES, 403), (OPERATED, 200)])
async def test_operators_are_those_that_the_configuration_names(
    config: str, status: int, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, config, [Shelf()]) as exchange:
        assert (await ask(exchange, "")).status == status


class Wording(Shelf):
    """Clients of these routes know no problem documents."""

    def __init__(self, refuse: Any) -> None:
        self.refuse = refuse

    @hookimpl
    def register_routes(self) -> Sequence[RoutesSpec]:
        return [replace(spec, refuse=self.refuse) for spec in super().register_routes()]


async def test_what_the_gateway_refuses_is_worded_by_whose_folder_it_is(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    def refuse(refused: DoorRefused) -> RouteResponse:
        return RouteResponse(refused.status, f"{refused.code}: {refused.detail}".encode())

    async with open_memory_exchange(tmp_path, ROUTES, [Wording(refuse)]) as exchange:
        nowhere = await ask(exchange, "a/b")
        assert (nowhere.status, nowhere.body) == (404, b"NOT_FOUND: Use a path that the gateway serves.")
        assert nowhere.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await ask(exchange, "")).body.startswith(b"FORBIDDEN: ")
        elsewhere = await request(exchange.gateway, "GET", "/nowhere", connect=exchange.network.connect)
        assert elsewhere.document["code"] == "NOT_FOUND"


HANDSHAKE = b"GET /api/plugins/shelf/%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "code", "is_worded"),
    [
        (b"GET / HTTP/1.1 nonsense\r\n\r\n", "BAD_REQUEST", False),
        (b"GET / HTTP/1.1\r\n\r\n", "BAD_REQUEST", False),  # no host
        (b"PUT /api/plugins/shelf/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "METHOD_NOT_ALLOWED", True),
        (b"PUT /api/plugins/shelf/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", "BODY_TOO_LARGE", True),
        (b"PUT /api/plugins/shelf/ HTTP/1.1\r\nHost: a\r\n\r\n", "METHOD_NOT_ALLOWED", True),
        (b"PUT /api/plugins/shelf/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", "BAD_REQUEST", True),
        (b"GET /api/plugins/shelf/?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_REQUEST", True),
        (b"GET /api/plugins/shelf/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_REQUEST", True),
        (HANDSHAKE % b"nowhere/else", "NOT_FOUND", True),
        (HANDSHAKE % b"ears", "UNSUPPORTED_WEBSOCKET_VERSION", True),
        (b"GET /api/plugins/shelf/dark/room HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP_404", False),
        (b"GET /api/plugins/shelf/locked/room HTTP/1.1\r\nHost: a\r\n\r\n", "LOCKED", False),
    ],
)
async def test_each_refusal_is_counted_once_at_whatever_stage_and_worded_where_the_path_is_known(
    sent: bytes, code: str, is_worded: bool, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Doors(Wording):
        @hookimpl
        def register_routes(self) -> Sequence[RoutesSpec]:
            async def dark(request: RouteRequest) -> RouteResponse:
                return RouteResponse(404)

            async def locked(request: RouteRequest) -> RouteResponse:
                return RouteResponse.problem(423, "LOCKED", "Come tomorrow.")

            async def listen(request: RouteRequest, socket: RouteSocket) -> None:
                await socket.receive()

            routes: list[Route | SocketRoute] = [
                Route("GET", "/dark/room", "public", dark),
                Route("GET", "/locked/room", "public", locked),
                SocketRoute("/ears", "public", listen),
                Route("GET", "/", "public", answer),
            ]
            return [RoutesSpec("shelf", lambda settings: routes, refuse=self.refuse)]

    def refuse(refused: DoorRefused) -> RouteResponse:
        return RouteResponse(refused.status, f"in words: {refused.code}".encode())

    async with open_memory_exchange(tmp_path, ROUTES, [Doors(refuse)]) as exchange:
        where = urlsplit(exchange.gateway.url)
        async with await exchange.network.connect(where.hostname or "", where.port or 0) as stream:
            await stream.send_all(sent)
            await stream.send_eof()
            answered = b"".join([bytes(piece) async for piece in stream])
        assert answered.endswith(f"in words: {code}".encode()) is is_worded
        assert exchange.gateway.refusals == {code: 1}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("headers", [[], [("retry-after", "60")]])
async def test_whoever_may_come_again_is_told_when_also_by_plugins_that_do_not_say_it(
    status: int, headers: list[tuple[str, str]], tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Busy(Shelf):
        @hookimpl
        def register_routes(self) -> Sequence[RoutesSpec]:
            async def refuse(request: RouteRequest) -> RouteResponse:
                return RouteResponse(status, headers=headers)

            return [RoutesSpec("shelf", lambda settings: [Route("GET", "/", "public", refuse)])]

    async with open_memory_exchange(tmp_path, ROUTES, [Busy()]) as exchange:
        assert (await ask(exchange, "")).headers["retry-after"] == (headers[0][1] if headers else "5")
    closing = closing_response(Problem(status, "FULL", "Wait.", tuple(headers)).response())
    assert closing.count(b"retry-after: ") == 1


@pytest.mark.parametrize("refuse", [lambda refused: 1 // 0, lambda refused: None, lambda refused: RouteResponse(7)])
async def test_wording_that_fails_is_left_out(
    refuse: Any, tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_memory_exchange(tmp_path, ROUTES, [Wording(refuse)]) as exchange:
        assert (await ask(exchange, "a/b")).document["code"] == "NOT_FOUND"
    assert "refuse of shelf" in caplog.text


async def test_routes_that_are_not_enabled_are_not_there(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path, CONFIG, [Shelf()]) as exchange:
        assert (await ask(exchange, "")).document["code"] == "NOT_FOUND"


def test_set_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^routes\.enabled\[0\]: no set of routes is named 'shelves'; .* shelf"
    ):
        resolve_test_config(tmp_path, ROUTES.replace('"shelf"', '"shelves"'), [Shelf()])
