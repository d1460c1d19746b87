"""Who may fetch the metrics, and what is answered: by a route of the gateway, or on a port of its own."""

import hmac
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import h11
import trio
from glottis import ConfigurationError, Route, RouteRequest, RouteResponse, Secret
from prometheus_client import CONTENT_TYPE_LATEST

from glottis_metrics.settings import MetricsConfig, RouteConfig

PATH: Final = "/metrics"
MAX_SCRAPERS: Final = 8
"""Connections at a time; others are closed."""
MAX_HEAD: Final = 8192
"""Bytes of a request."""
PATIENCE: Final = 10.0
"""Seconds for a whole exchange."""

logger = logging.getLogger(__name__)

Render = Callable[[], Awaitable[bytes]]


def is_right(token: Secret | None, authorization: str) -> bool:
    """Whether a request with this ``Authorization`` may see them."""
    if token is None:
        return True
    scheme, _, sent = authorization.partition(" ")
    right = hmac.compare_digest(sent.strip().encode(errors="replace"), token.reveal().encode())
    return right and scheme.lower() == "bearer"


def routes(render: Render, settings: RouteConfig) -> Sequence[Route]:
    """``/api/plugins/metrics/prometheus``: for operators, or for who has the token."""

    async def scrape(request: RouteRequest) -> RouteResponse:
        if not is_right(settings.token, request.headers.get("authorization", "")):
            return RouteResponse.problem(401, "UNAUTHENTICATED", "Send the token of the metrics.")
        return RouteResponse(body=await render(), media_type=CONTENT_TYPE_LATEST)

    return [Route("GET", "/prometheus", "operator" if settings.token is None else "public", scrape)]


@asynccontextmanager
async def listening(render: Render, settings: MetricsConfig, *, is_shared: bool = False) -> AsyncIterator[None]:
    """On the port that the settings name, if they do, ``is_shared`` with other processes.

    Raises ``ConfigurationError`` if it cannot be had.
    """
    if settings.port is None:
        yield
        return
    try:
        listeners = [_open_shared(settings.host, settings.port)] if is_shared else await _open(settings)
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        raise ConfigurationError(f"extensions.settings.metrics.port: cannot listen on {where}: {error}") from None
    port = listeners[0].socket.getsockname()[1]
    logger.info(
        "metrics are at http://%s:%d%s", f"[{settings.host}]" if ":" in settings.host else settings.host, port, PATH
    )
    scrapers = trio.CapacityLimiter(MAX_SCRAPERS)

    async def serve(stream: trio.SocketStream) -> None:
        try:
            scrapers.acquire_nowait()
        except trio.WouldBlock:
            await trio.aclose_forcefully(stream)
            return
        try:
            with trio.move_on_after(PATIENCE):
                await answer(stream, render, settings.token)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            logger.debug("a scraper has left")
        finally:
            scrapers.release()
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield
        nursery.cancel_scope.cancel()


async def _open(settings: MetricsConfig) -> list[trio.SocketListener]:
    assert settings.port is not None
    return await trio.open_tcp_listeners(settings.port, host=settings.host)


def _open_shared(host: str, port: int) -> trio.SocketListener:
    """The kernel gives each connection to one of those that listen."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


async def answer(stream: trio.abc.Stream, render: Render, token: Secret | None) -> None:
    """One request, the only one of its connection."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    try:
        while (request := http.next_event()) is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some(MAX_HEAD)))
    except h11.RemoteProtocolError:
        return
    if not isinstance(request, h11.Request):
        return
    status, kind, body = await _reply(request, render, token)
    headers = [("content-type", kind), ("content-length", str(len(body))), ("connection", "close")]
    if status == 401:
        headers.append(("www-authenticate", 'Bearer realm="glottis"'))
    content = [] if request.method == b"HEAD" else [h11.Data(data=body)]
    events: list[h11.Event] = [h11.Response(status_code=status, headers=headers), *content, h11.EndOfMessage()]
    await stream.send_all(b"".join(http.send(event) or b"" for event in events))


async def _reply(request: h11.Request, render: Render, token: Secret | None) -> tuple[int, str, bytes]:
    text = "text/plain; charset=utf-8"
    authorization = dict(request.headers).get(b"authorization", b"").decode(errors="replace")
    if request.target.partition(b"?")[0] != PATH.encode():
        return 404, text, b"Use /metrics.\n"
    if request.method not in (b"GET", b"HEAD"):
        return 405, text, b"Use GET.\n"
    if not is_right(token, authorization):
        return 401, text, b"Send the token.\n"
    return 200, CONTENT_TYPE_LATEST, await render()
