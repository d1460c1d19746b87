"""Who may use the routes of plugins, what their handlers are told, and what becomes of what they answer."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import h11
import pytest
import trio
import trio.testing
from glottis import Route, RouteRequest, RouteResponse
from glottis.plugins import Plugin
from glottis.plugins.routes import mounted
from glottis.server.http.rate_limit import RateLimiter
from support.api import problem

Handle = Callable[[RouteRequest], Awaitable[RouteResponse]]
GOOD = {"authorization": "Bearer good"}
BOSS = {"authorization": "Bearer boss"}


async def tell(request: RouteRequest) -> RouteResponse:
    """What the handler is told."""
    asking = request.principal.name if request.principal else None
    return RouteResponse.json([request.method, request.path, dict(request.parameters), asking, request.body.decode()])


@pytest.fixture
def client(serve: Any) -> Callable[..., Any]:
    """Of an API with these routes, in the folder ``shelf``."""

    def client(*routes: Route, per_minute: float = 600) -> Any:
        made = mounted(Plugin("Shelf", "shelf", "1.0"), "shelf", routes)
        limiter = RateLimiter(per_minute=per_minute, burst=per_minute)
        return serve(plugin_routes={"/api/plugins/shelf": made}, plugin_rate_limiter=limiter, operators=["boss"])

    return client


async def test_each_access_lets_in_whom_it_says(client: Any) -> None:
    kinds: tuple[Any, ...] = ("public", "principal", "session", "operator")
    api = client(*(Route("GET", f"/{kind}/{{session_id}}", kind, tell) for kind in kinds))

    async def statuses(session_id: str, **headers: str) -> list[int]:
        paths = [f"/api/plugins/shelf/{kind}/{session_id}" for kind in kinds]
        return [(await api.request("GET", path, **headers)).status for path in paths]

    assert await statuses("s-1") == [200, 401, 401, 401]
    assert await statuses("s-1", **GOOD) == [200, 200, 200, 403]
    assert await statuses("s-2", **GOOD) == [200, 200, 404, 403]
    assert await statuses("s-1", **BOSS) == [200, 200, 404, 200]


async def test_handler_is_told_who_asks_for_what(client: Any) -> None:
    api = client(Route("PUT", "/books/{book}/pages/{page}", "principal", tell))
    reply = await api.request("PUT", "/api/plugins/shelf/books/a-1/pages/7?x=1", body=b"text", **GOOD)
    told = ["PUT", "/books/a-1/pages/7", {"book": "a-1", "page": "7"}, "tester", "text"]
    assert (reply.status, json.loads(reply.body)) == (200, told)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"


async def test_headers_of_a_handler_are_sent(client: Any) -> None:
    async def redirect(request: RouteRequest) -> RouteResponse:
        return RouteResponse(303, headers=[("Location", "/elsewhere"), ("cache-control", "max-age=60")])

    reply = await client(Route("GET", "/", "public", redirect)).request("GET", "/api/plugins/shelf/")
    assert (reply.status, reply.headers["location"]) == (303, "/elsewhere")
    assert reply.headers["cache-control"] == "max-age=60"


async def test_paths_lead_to_one_route_or_none(client: Any) -> None:
    api = client(Route("GET", "/books/all", "public", tell), Route("GET", "/books/{book}", "public", tell))
    for path, parameters in {"all": {}, "a.b~c": {"book": "a.b~c"}}.items():
        assert json.loads((await api.request("GET", f"/api/plugins/shelf/books/{path}")).body)[2] == parameters
    for path in (
        "shelf/books",
        "shelf/books/",
        "shelf/books/a/b",
        "shelf/books/..",
        "shelf/books/a%2fb",
        "other/books/a",
    ):
        assert problem(await api.request("GET", f"/api/plugins/{path}")) == (404, "NOT_FOUND")
    reply = await api.request("POST", "/api/plugins/shelf/books/a", body=b"")
    assert (problem(reply), reply.headers["allow"]) == ((405, "METHOD_NOT_ALLOWED"), "GET, HEAD, OPTIONS")
    assert (await api.request("HEAD", "/api/plugins/shelf/books/a")).status == 200


async def test_pages_of_strangers_run_no_handler(client: Any) -> None:
    api = client(Route("POST", "/", "public", tell))
    reply = await api.request("POST", "/api/plugins/shelf/", body=b"", origin="https://evil.example")
    assert problem(reply) == (403, "ORIGIN_NOT_ALLOWED")


async def test_requests_of_a_client_are_limited(client: Any) -> None:
    api = client(Route("GET", "/", "public", tell), per_minute=2)
    statuses = [(await api.request("GET", "/api/plugins/shelf/")).status for _ in range(3)]
    assert statuses == [200, 200, 429]


async def explode(request: RouteRequest) -> RouteResponse:
    raise RuntimeError("the secret is hunter2")


def returning(value: Any) -> Handle:
    async def handle(request: RouteRequest) -> RouteResponse:
        answer: RouteResponse = value
        return answer

    return handle


@pytest.mark.parametrize(
    ("handle", "reason"),
    [
        (explode, "RuntimeError"),
        (lambda request: RouteResponse(), "it must be async"),
        (returning(None), "expected a RouteResponse, got NoneType"),
        (returning(RouteResponse(99)), "status"),
        (returning(RouteResponse(101)), "status"),
        (returning(RouteResponse(799)), "status"),
        (returning(RouteResponse(body="text")), "body"),  # type: ignore[arg-type]
        (returning(RouteResponse(media_type="a\r\nb: c")), "media_type"),
        (returning(RouteResponse(headers=[("a", "b\r\nc: d")])), "headers"),
        (returning(RouteResponse(headers=[("Content-Length", "3")])), "headers"),
        (returning(RouteResponse(headers=[("transfer-encoding", "chunked")])), "headers"),
        (returning(RouteResponse(headers=7)), "not iterable"),  # type: ignore[arg-type]
    ],
)
async def test_failure_is_the_log_s_to_know(
    handle: Any, reason: str, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await client(Route("GET", "/{book}", "public", handle)).request("GET", "/api/plugins/shelf/a")
    assert problem(reply) == (500, "INTERNAL_ERROR")
    assert b"hunter2" not in reply.body
    assert b"shelf" not in reply.body
    assert "plugin Shelf (shelf 1.0)" in caplog.text
    assert "route GET /{book}" in caplog.text
    assert reason in caplog.text


async def test_handler_that_takes_too_long_is_cancelled(
    client: Any, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    cancelled = trio.Event()

    async def dawdle(request: RouteRequest) -> RouteResponse:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    with caplog.at_level(logging.ERROR):
        reply = await client(Route("GET", "/", "public", dawdle, timeout=2)).request("GET", "/api/plugins/shelf/")
    assert problem(reply) == (503, "TIMEOUT")
    assert cancelled.is_set()
    assert trio.current_time() < 3
    assert "plugin Shelf (shelf 1.0): route GET / took longer than 2 s" in caplog.text


class Body:
    """Counts, and knows whether it was closed."""

    def __init__(self, last: int, error: BaseException | None = None) -> None:
        self.closed = trio.Event()
        self._last = last
        self._error = error

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self._last):
                await trio.lowlevel.checkpoint()
                yield f"{number},".encode()
            if self._error is not None:
                raise self._error
        finally:
            self.closed.set()

    async def handle(self, request: RouteRequest) -> RouteResponse:
        return RouteResponse(body=self.pieces())


@pytest.mark.slow
async def test_long_body_comes_piece_by_piece(client: Any) -> None:
    body = Body(1000)
    api = client(Route("GET", "/", "public", body.handle))
    for _ in range(2):  # the connection goes on
        reply = await api.request("GET", "/api/plugins/shelf/")
        assert reply.body == b"".join(b"%d," % number for number in range(1000))
        assert "content-length" not in reply.headers
        assert body.closed.is_set()
    assert (await api.request("HEAD", "/api/plugins/shelf/")).body == b""


async def test_long_body_that_fails_breaks_the_connection(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    body = Body(3, RuntimeError("hunter2"))
    api = client(Route("GET", "/", "public", body.handle))
    with pytest.raises(h11.RemoteProtocolError, match="without sending complete message body"):
        await api.request("GET", "/api/plugins/shelf/")
    assert body.closed.is_set()
    assert "failed in plugin Shelf (shelf 1.0): the body of route GET / raised RuntimeError" in caplog.text


async def test_long_body_of_other_things_is_none(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def texts() -> AsyncIterator[Any]:
        yield "text"

    with pytest.raises(h11.RemoteProtocolError):
        await client(Route("GET", "/", "public", returning(RouteResponse(body=texts())))).request(
            "GET", "/api/plugins/shelf/"
        )
    assert "RouteResponse.body: expected bytes or another buffer, got str" in caplog.text


async def test_long_body_is_closed_when_nobody_reads_it_any_more(client: Any) -> None:
    body = Body(10**9)
    api = client(Route("GET", "/", "public", body.handle))
    await api.send("GET /api/plugins/shelf/ HTTP/1.1\r\nHost: gateway.example\r\n\r\n")
    assert (await api.stream.receive_some(100)).startswith(b"HTTP/1.1 200 OK")
    await api.stream.aclose()
    with trio.fail_after(5):
        await body.closed.wait()


async def test_piece_that_does_not_come_is_waited_for_no_longer_than_the_route_says(
    client: Any, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"a"
        await trio.sleep_forever()

    route = Route("GET", "/", "public", returning(RouteResponse(body=stuck())), timeout=3)
    with pytest.raises(h11.RemoteProtocolError):
        await client(route).request("GET", "/api/plugins/shelf/")
    assert 3 <= trio.current_time() < 4
    assert "the body of route GET / took longer than 3 s" in caplog.text
