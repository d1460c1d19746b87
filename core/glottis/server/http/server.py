"""HTTP and WebSocket on the same listeners: accepts connections, and stands between each and all others."""

import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import trio

from glottis.barrier import stop
from glottis.config.settings import ProxyHeader
from glottis.plugins.blame import culprit
from glottis.plugins.failures import log_failure
from glottis.server.http.acceptor import Acceptor, host_of
from glottis.server.http.certificates import Certificates
from glottis.server.http.connection import Handlers, HttpConnection, Shared
from glottis.server.http.message import HttpLimits, Request, Response, closing_response
from glottis.server.http.places import Place, Places
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import TrustedProxies
from glottis.server.http.refusals import RefusalLog, Refusals
from glottis.server.http.siblings import Adopted, Siblings
from glottis.server.http.tls import begin_tls
from glottis.server.http.turns import Turns
from glottis.server.http.websocket import Talk, WebSocket

logger = logging.getLogger(__name__)


def _as_it_is(request: Request) -> Request:
    return request


def _as_a_problem(request: Request, problem: Response) -> Response:
    return problem


class HttpServer:
    """Serves HTTP/1.1 requests and WebSockets.

    ``accept_websocket`` decides before the handshake: a ``Response`` refuses, None accepts for ``handle_websocket``,
    and a ``Talk`` is done in its place. ``normalize`` is the first to see a request, and gives one of another
    spelling that which is logged and served; ``word`` is the last to see a refusal, before it is sent.
    ``trusted_proxies`` are addresses and networks, which name their clients in ``proxy_header``; raises ``ValueError``
    for others.
    ``turns`` are those of the whole gateway. ``siblings`` are other processes that serve the same listeners.
    ``certificates`` make it HTTPS on those listeners that are sockets. ``refusals`` counts all that is refused.
    """

    def __init__(
        self,
        *,
        handle_request: Callable[[Request], Awaitable[Response]],
        handle_websocket: Callable[[Request, WebSocket], Awaitable[None]],
        accept_websocket: Callable[[Request], Awaitable[Response | Talk | None]],
        normalize: Callable[[Request], Request] = _as_it_is,
        word: Callable[[Request, Response], Response] = _as_a_problem,
        limits: HttpLimits | None = None,
        trusted_proxies: Iterable[str] = (),
        proxy_header: ProxyHeader = "X-Forwarded-For",
        turns: Turns | None = None,
        siblings: Siblings | None = None,
        certificates: Certificates | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        limits, proxies = limits or HttpLimits(), TrustedProxies(trusted_proxies, proxy_header)
        log = RefusalLog(refusals)
        self._places = Places(limits, proxies, log)
        self._shared = Shared(
            Handlers(handle_request, handle_websocket, accept_websocket, normalize, word),
            limits,
            proxies,
            log,
            turns or Turns(),
            self._places,
            siblings,
            certificates,
        )
        self._connections: set[HttpConnection] = set()
        self._listening = trio.CancelScope()
        self._accepting = trio.CancelScope()
        self._draining = False

    @property
    def connection_count(self) -> int:
        """How many connections are open, WebSockets included."""
        return len(self._places)

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[trio.abc.HalfCloseableStream]],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and serve until cancelled, or after ``drain`` until the last connection has ended.

        Closes the listeners. To be called once.
        """
        async with trio.open_nursery() as connections:
            task_status.started()
            with self._accepting:
                async with trio.open_nursery() as accepting:
                    if self._shared.siblings is not None:
                        accepting.start_soon(self._adopt, self._shared.siblings, connections)
                    await self._listen(listeners, connections)

    async def _listen(
        self, listeners: Sequence[trio.abc.Listener[trio.abc.HalfCloseableStream]], connections: trio.Nursery
    ) -> None:
        try:
            with self._listening:
                async with trio.open_nursery() as listening:
                    for listener in listeners:
                        listening.start_soon(self._accept, listener, connections)
        finally:
            for listener in listeners:
                await trio.aclose_forcefully(listener)

    def stop_listening(self) -> None:
        """Take no more connections from the listeners; siblings may hand over some."""
        self._listening.cancel()

    def drain(self) -> None:
        """Accept no more connections and close the idle ones; requests and WebSockets that are open go on."""
        self._draining = True
        self._accepting.cancel()
        for connection in self._connections:
            connection.drain()

    async def serve_connection(self, stream: trio.abc.HalfCloseableStream) -> None:
        """Serve one connection and close it. No error of it comes out."""
        peer_host = _peer_host(stream)
        with _barrier(peer_host):
            async with stream:
                try:
                    place = self._places.enter(peer_host)
                except Problem as problem:
                    with trio.move_on_after(self._shared.limits.close_timeout):
                        await stream.send_all(self._refuse(peer_host, problem))
                else:
                    await self._serve(stream, place)

    async def _accept(
        self, listener: trio.abc.Listener[trio.abc.HalfCloseableStream], connections: trio.Nursery
    ) -> None:
        """By turns from a socket; from another listener one by one."""
        if not isinstance(listener, trio.SocketListener):
            await trio.serve_listeners(self.serve_connection, [listener], handler_nursery=connections)
        bound = listener.socket
        with socket.fromfd(bound.fileno(), bound.family, bound.type) as listening:
            listening.setblocking(False)

            def begin(sock: socket.socket, place: Place) -> None:
                connections.start_soon(self._serve_accepted, sock, place)

            await Acceptor(listening, self._places, self._shared.turns, begin=begin, refuse=self._refuse).run()

    async def _adopt(self, siblings: Siblings, connections: trio.Nursery) -> None:
        """Serve the connections that siblings hand over, each as if it had been accepted here."""
        while True:
            adopted = await siblings.next_adopted()
            async with self._shared.turns:
                connections.start_soon(self._serve_adopted, adopted)

    async def _serve_adopted(self, adopted: Adopted) -> None:
        with adopted.socket as sock:
            sock.setblocking(False)
            host = adopted.peer_host or _host_of_peer(sock)
            try:
                place = self._places.enter(host)
            except Problem as problem:
                with suppress(OSError):
                    sock.send(self._refuse(host, problem), socket.MSG_DONTWAIT)
            else:
                await self._serve_accepted(sock, place, adopted)

    async def _serve_accepted(self, sock: socket.socket, place: Place, adopted: Adopted | None = None) -> None:
        """The same for one that has its place already."""
        with _barrier(place.host):
            async with trio.SocketStream(trio.socket.from_stdlib_socket(sock)) as stream:
                await self._serve(stream, place, adopted)

    async def _serve(self, stream: trio.abc.HalfCloseableStream, place: Place, adopted: Adopted | None = None) -> None:
        """Until it has said what it wants it gives way to others, also in TLS's handshake."""
        try:
            with place.scope:
                if (
                    self._shared.certificates is None
                    or adopted is not None
                    or not isinstance(stream, trio.SocketStream)
                ):
                    await self._serve_http(stream, place, adopted)
                elif (tls := await begin_tls(stream, self._shared.certificates, self._shared.limits)) is not None:
                    await self._serve_http(tls, place)
        finally:
            self._places.leave(place)

    async def _serve_http(
        self, stream: trio.abc.HalfCloseableStream, place: Place, adopted: Adopted | None = None
    ) -> None:
        connection = HttpConnection(stream, place, self._shared, adopted)
        self._connections.add(connection)
        try:
            if self._draining:
                connection.drain()
            await connection.serve()
        finally:
            self._connections.discard(connection)

    def _refuse(self, peer_host: str, problem: Problem) -> bytes:
        """What is said before a request has come, so without a look at any."""
        response = problem.response()
        self._shared.refusals.refusals.note(response.code)
        line = f"{response.status} {response.code}: a connection from {peer_host}: {response.logged}"
        self._shared.refusals.note_line(line, peer_host, trio.current_time(), logging.WARNING)
        return closing_response(response)


@contextmanager
def _barrier(peer_host: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        stop(error, lambda failure: _note_failure(failure, peer_host))


def _note_failure(error: BaseException, peer_host: str) -> None:
    try:
        raise error
    except* (trio.BrokenResourceError, trio.ClosedResourceError):
        logger.debug("the connection from %s broke", peer_host)
    except* BaseException as errors:
        log_failure(logger, errors, "the connection from %s failed in %s", peer_host, culprit(errors))


def _peer_host(stream: trio.abc.HalfCloseableStream) -> str:
    """The peer's IP address; empty if it is gone already, or has none."""
    return _host_of_peer(stream.socket) if isinstance(stream, trio.SocketStream) else ""


def _host_of_peer(sock: socket.socket | trio.socket.SocketType) -> str:
    try:
        return host_of(sock.getpeername())
    except OSError:
        return ""
