"""One HTTP/1.1 connection: requests in, responses out, until it closes or becomes a WebSocket (RFC 9112)."""

import email.utils
import logging
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Final, NamedTuple, TypeVar

import h11
import msgspec
import trio
from msgspec.structs import replace

from glottis.barrier import stop
from glottis.contracts.errors import Malformed
from glottis.contracts.log_fields import LogFields, set_log_fields
from glottis.plugins.blame import culprit
from glottis.plugins.failures import log_failure
from glottis.server.http.certificates import Certificates
from glottis.server.http.handshake import wants_websocket, websocket_key
from glottis.server.http.head import read_head_untrusted, vet_head, whose
from glottis.server.http.linger import linger
from glottis.server.http.message import HttpLimits, Request, Response, reason_phrase
from glottis.server.http.places import Place, Places, Stage
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import TrustedProxies
from glottis.server.http.receiver import RequestReceiver
from glottis.server.http.refusals import RefusalLog
from glottis.server.http.request_id import HEADER, request_id
from glottis.server.http.siblings import Adopted, Siblings
from glottis.server.http.tls import TlsStream, relay
from glottis.server.http.turns import Turns
from glottis.server.http.websocket import Talk, WebSocket, open_server_websocket
from glottis.signaling.errors import WebSocketClosed

_WITHOUT_CONTENT: Final = (204, 304)
_NOT_READ_TO_THE_END: Final = (h11.IDLE, h11.SEND_BODY, h11.ERROR)

NEWCOMER: Final = 0.25
"""Seconds for the first request of a connection when no more are accepted."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Handlers(msgspec.Struct, frozen=True):
    """What the server's owner does with requests and WebSockets.

    ``accept_websocket`` decides before the handshake: a ``Response`` refuses, None accepts for ``handle_websocket``,
    and a ``Talk`` is done in its place. ``normalize`` gives each request the spelling that all others,
    and the log, go by; ``word`` gives a refusal the form that its client knows.
    """

    handle_request: Callable[[Request], Awaitable[Response]]
    handle_websocket: Callable[[Request, WebSocket], Awaitable[None]]
    accept_websocket: Callable[[Request], Awaitable[Response | Talk | None]]
    normalize: Callable[[Request], Request]
    word: Callable[[Request, Response], Response]


class Shared(msgspec.Struct, frozen=True):
    """What all connections of a server have in common."""

    handlers: Handlers
    limits: HttpLimits
    proxies: TrustedProxies
    refusals: RefusalLog
    turns: Turns
    places: Places
    siblings: Siblings | None = None
    """Where several processes serve."""
    certificates: Certificates | None = None
    """Where HTTPS is served."""


class _Upgrade(NamedTuple):
    """A WebSocket that was accepted and is to be answered with ``key``."""

    request: Request
    talk: Talk
    key: str
    early_bytes: bytes
    """Of the WebSocket: they came after the request's head."""


class HttpConnection:
    """Serves one connection; the stream stays its owner's to close, and the place to give back.

    ``adopted``: another process has read of the first request, which is to be answered here.
    """

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, place: Place, shared: Shared, adopted: Adopted | None = None
    ) -> None:
        self._stream = stream
        self._peer_host = place.host
        self._place = place
        self._places = shared.places
        self._handlers = shared.handlers
        self._limits = shared.limits
        self._proxies = shared.proxies
        self._refusals = shared.refusals
        self._turns = shared.turns
        self._siblings = shared.siblings
        self._adopted = adopted
        """Until its first request was answered."""
        is_relayed = adopted is not None and bool(adopted.peer_host)
        self._scheme = "https" if is_relayed or isinstance(stream, TlsStream) else "http"
        self._relayed: trio.SocketStream | None = None
        """Leads to the process that has a connection whose TLS ends here."""
        self._is_gone = False
        """To another process."""
        self._receiver = RequestReceiver(stream, shared.limits, shared.turns, keeps=shared.siblings is not None)
        self._receiver.begin_with(adopted.received if adopted is not None else b"")
        self._http = self._receiver.http
        self._draining = False
        self._idle = trio.CancelScope()
        self._request_id = ""
        self._unread: Request | None = None
        """What is known of a request whose head cannot be used."""
        self._upgrade: _Upgrade | None = None
        self._first_head_due: float | None = trio.current_time() + shared.limits.head_timeout

    def drain(self) -> None:
        """Close after the request that is being served; at once if there is none, unless the first is yet to come."""
        self._draining = True
        self._idle.deadline = min(self._idle.deadline, self._end_of_idleness())

    async def serve(self) -> None:
        """Answer requests until either side closes. Errors of the stream end it quietly."""
        try:
            while await self._serve_one():
                self._http.start_next_cycle()
                self._places.move(self._place, Stage.IDLE)
            if self._upgrade is not None:
                del self._receiver, self._http  # a call may be long, and h11 has had its part
                await self._serve_websocket(self._upgrade)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.debug("the connection from %s broke", self._peer_host)
        if self._relayed is not None and isinstance(self._stream, TlsStream):
            await relay(self._stream, self._relayed, self._limits)
        elif self._is_gone:
            return
        self._places.move(self._place, Stage.LEAVING)
        with trio.move_on_after(self._limits.close_timeout):
            await linger(self._stream)

    async def _serve_one(self) -> bool:
        """One exchange; says whether another may follow. After the head of a WebSocket none does."""
        request: Request | None = None
        self._unread = None
        self._name_request({})
        try:
            head = await self._receive_head()
            if head is None:
                return False
            self._unread = whose(head)
            async with self._turns:
                request = self._read_head(head)
            self._name_request(request.headers)
            if self._siblings is not None:
                adopted, self._adopted = self._adopted, None
                request = replace(request, entry=adopted.entry if adopted is not None else None)
                if adopted is None and self._siblings.is_theirs(request) and self._hand_over(request):
                    return False
                if not _may_move(request):
                    self._receiver.let_go()
            self._places.serve(self._place, request.client_host)
            if wants_websocket(request.method, request.headers):
                return await self._accept_websocket(request)
            request = replace(request, body=await self._receive_body(request))
            response = await self._handle(request, self._handlers.handle_request)
        except Problem as problem:
            response = problem.response()
        if response.is_of_process and request is not None and _may_move(request) and self._hand_over(request):
            return False
        await self._respond(request, response)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _receive_head(self) -> h11.Request | None:
        """The next head; None if there is none. Only between two requests may a connection be idle for long."""
        with trio.CancelScope(deadline=self._end_of_idleness()) as self._idle:
            begun = await self._receiver.receive_first_bytes()
        if self._idle.cancelled_caught or not begun:
            return None
        if self._place.stage is Stage.IDLE:
            self._places.move(self._place, Stage.HEAD)
        due, self._first_head_due = self._first_head_due or self._after(self._limits.head_timeout), None
        return await self._receiver.receive_head(due)

    def _end_of_idleness(self) -> float:
        """Who has connected a moment ago is about to ask: another process may take all further connections already."""
        due = self._first_head_due
        if not self._draining:
            return due or self._after(self._limits.idle_timeout)
        return min(due, self._after(NEWCOMER)) if due else -math.inf

    def _hand_over(self, request: Request) -> bool:
        """Whether another process has the connection now: nothing is left to do here but to close the descriptor."""
        if (siblings := self._siblings) is None:
            return False
        received = self._receiver.beginning()
        peer_host = self._peer_host if self._scheme == "https" else ""
        if isinstance(self._stream, trio.SocketStream):
            self._is_gone = siblings.hand_over(request, self._stream.socket.fileno(), received, peer_host)
        elif isinstance(self._stream, TlsStream):
            ours, theirs = socket.socketpair()
            with theirs:
                self._is_gone = siblings.hand_over(request, theirs.fileno(), received, peer_host)
            ours.setblocking(False)
            if self._is_gone:
                self._places.move(self._place, Stage.SERVED)
                self._relayed = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
            else:
                ours.close()
        return self._is_gone

    async def _receive_body(self, request: Request) -> bytes:
        self._places.move(self._place, Stage.BODY)
        body = await self._receiver.receive_body(request)
        self._places.move(self._place, Stage.SERVED)
        await trio.lowlevel.checkpoint_if_cancelled()  # who has given way just now is served no more
        return body

    def _name_request(self, headers: Mapping[str, str]) -> None:
        """For its answer, and for the log: also in what is begun by it."""
        self._request_id = request_id(headers)
        set_log_fields(LogFields(request=self._request_id))

    def _after(self, seconds: float) -> float:
        return trio.current_time() + seconds

    def _read_head(self, head: h11.Request) -> Request:
        vet_head(head)
        try:
            return self._handlers.normalize(read_head_untrusted(head, self._peer_host, self._proxies, self._scheme))
        except Malformed as error:
            raise Problem(400, "BAD_REQUEST", f"Correct the {error}.") from None

    async def _handle(self, request: Request, handle: Callable[[Request], Awaitable[T]]) -> T:
        with trio.move_on_after(self._limits.handler_timeout):
            try:
                return await handle(request)
            except Problem:
                raise
            except BaseException as error:
                stop(error, lambda failure: log_failure(logger, failure, "%s failed in %s", request, culprit(failure)))
                raise Problem(500, "INTERNAL_ERROR", "The gateway failed; its log says why.") from None
        logger.error("%s took longer than %g s", request, self._limits.handler_timeout)
        raise Problem(503, "TIMEOUT", "The gateway took too long; try again.", (("retry-after", "5"),))

    async def _accept_websocket(self, request: Request) -> bool:
        accepted = await self._handle(request, self._handlers.accept_websocket)
        if isinstance(accepted, Response):
            await self._respond(request, accepted)
            return False
        async with self._turns:
            key = websocket_key(request.headers, request.http_version)
            self._places.begin_websocket(self._place)
            self._turns.use_up()  # The handshake takes long too, in several steps.
        logger.debug("%s becomes a WebSocket", request)
        talk = accepted or partial(self._handlers.handle_websocket, request)
        self._upgrade = _Upgrade(request, talk, key, self._http.trailing_data[0])
        return False

    async def _serve_websocket(self, upgrade: _Upgrade) -> None:
        """Until either side closes."""
        request, talk, key, early_bytes = upgrade
        try:
            async with open_server_websocket(self._stream, key, early_bytes, self._limits) as websocket:
                websocket.taken = partial(self._places.move, self._place, Stage.WEBSOCKET)
                await talk(websocket)
        except* WebSocketClosed as closed:
            logger.debug("%s: %s", request, closed.exceptions[0])

    async def _respond(self, request: Request | None, response: Response) -> None:
        logger.debug("%s: %d", request or f"malformed request from {self._peer_host}", response.status)
        self._refusals.note(request, response, self._peer_host, trio.current_time())
        asked = request or self._unread
        if response.code and not response.is_worded and asked is not None:
            response = self._handlers.word(asked, response)
        with_body = asked is None or asked.method != "HEAD"
        if response.pieces is None:
            body = [h11.Data(data=response.body)] if response.body and with_body else []
            await self._send(self._head(response), *body, h11.EndOfMessage())
            return
        async with aclosing(response.pieces) as pieces:
            await self._send(self._head(response))
            while with_body and (piece := await self._next_piece(request, pieces)) is not None:
                await self._send(h11.Data(data=piece))
            await self._send(h11.EndOfMessage())

    async def _next_piece(self, request: Request | None, pieces: AsyncIterator[bytes]) -> bytes | None:
        """None at the end. Where one cannot be had, the connection breaks: the status was sent long ago."""
        try:
            return await anext(pieces, None)
        except BaseException as error:
            stop(error, lambda failure: log_failure(logger, failure, "%s failed in %s", request, culprit(failure)))
            raise trio.BrokenResourceError("the rest of the response cannot be had") from None

    async def _send(self, *events: h11.Event) -> None:
        async with self._turns:
            data = b"".join(self._http.send(event) or b"" for event in events)
        with trio.move_on_after(self._limits.send_timeout) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError("the peer does not read")

    def _head(self, response: Response) -> h11.Response:
        return h11.Response(
            status_code=response.status,
            reason=reason_phrase(response.status).encode(),
            headers=self._response_headers(response),
        )

    def _response_headers(self, response: Response) -> list[tuple[str, str]]:
        headers = [
            ("date", email.utils.formatdate(usegmt=True)),
            (HEADER, self._request_id),
            *response.fields,
        ]
        if response.status not in _WITHOUT_CONTENT and response.pieces is None:
            headers.append(("content-length", str(len(response.body))))
        if self._draining or self._receiver.is_unframed or self._http.their_state in _NOT_READ_TO_THE_END:
            headers.append(("connection", "close"))
        return headers


def _may_move(request: Request) -> bool:
    """Whether another process may have room where this one has none."""
    return request.entry is not None and request.entry.may_move
