"""The ASGI application that asks the gateway for sessions, on behalf of whom another application knows."""

import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import h11
import msgspec

from glottis.asgi.exchange import Link, within
from glottis.client.requests import Reply
from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.routes import problem_document
from glottis.signaling.json_input import split_object_untrusted
from glottis.signaling.session_request import INITIATE_PATH

PATHS: Final = ("/initiate", INITIATE_PATH)
"""Below where the application mounts it; the second is where clients of glottis look for a session by themselves."""
MAX_BODY_BYTES: Final = 65536
_PASSED_ON: Final = (b"traceparent", b"tracestate", b"x-request-id")
_PASSED_BACK: Final = (b"content-type", b"retry-after", b"x-request-id")
_TICKET: Final = re.compile(rb"ticket=[A-Za-z0-9_-]{1,64}")
"""Of who waits in the gateway's queue."""
_MEDIA_TYPES: Final = (b"application/json", b"application/problem+json")
_TRY_AGAIN: Final = ((b"retry-after", b"5"),)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the application lets call, as the gateway is to know them."""

    bearer: str = field(default="", repr=False)
    """Credentials for the gateway's auth scheme: the application's key, or a token that it has made for this caller."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """Of the request for a session (CONTRACT §1), in place of what the client says: ``metadata`` and the like."""


Identify = Callable[[Scope], Awaitable[Caller | None]]
"""Whose request of this ASGI scope it is; None refuses it with 401. What it raises is the application's own answer."""


class SessionForwarder:
    """``POST …/initiate`` is passed on to the gateway at ``gateway_url``, and its answer back, unless it is no answer.

    ``timeout`` is in seconds, for the client's body and again for the gateway's answer. ``tls`` is for
    a gateway whose certificate the system does not know.
    Raises ``LocalError`` for a URL that is none.
    """

    def __init__(
        self,
        gateway_url: str,
        identify: Identify,
        *,
        timeout: float = 10.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._link = Link(gateway_url, tls)
        self._place = self._link.url.netloc
        self._identify = identify
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the specification of ASGI."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            raise NotImplementedError(f"SessionForwarder: {scope['type']} is for the application that mounts it")
        else:
            try:
                answer = await self._answer(scope, receive)
            except _Gone:
                return
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> "_Answer":
        if scope["path"].removeprefix(scope.get("root_path", "")) not in PATHS:
            return _problem(404, "NOT_FOUND", f"Use {PATHS[0]}.")
        if scope["method"] != "POST":
            return _problem(405, "METHOD_NOT_ALLOWED", "Use POST.", ((b"allow", b"POST"),))
        headers = dict(scope["headers"])
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
            return _problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
        caller = await self._identify(scope)
        if caller is None:
            return _problem(401, "UNAUTHENTICATED", "Sign in to the application first.")
        try:
            body = await within(self._timeout, partial(self._body, receive))
        except TimeoutError:  # servers of ASGI wait for ever
            return _problem(408, "TIMEOUT", f"Send the body of a request within {self._timeout:g} seconds.")
        if body is None:
            return _problem(413, "BODY_TOO_LARGE", f"Send at most {self._max_body_bytes} bytes.")
        try:
            wish = merged_untrusted(body, caller.members)
            head = self._head(scope, caller, len(wish))
        except Malformed as error:
            return _problem(400, error.code, f"Correct the request: {error}.")
        except h11.LocalProtocolError:  # some servers are not strict
            return _problem(400, "BAD_REQUEST", "Correct the header fields: expected no control characters.")
        return await self._forward(head, wish)

    async def _body(self, receive: Receive) -> bytes | None:
        """None, if there is more of it than may be. Raises ``_Gone``."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":  # half a wish may look like a whole one
                raise _Gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_body_bytes:
                return None
        return bytes(body)

    def _head(self, scope: Scope, caller: Caller, length: int) -> h11.Request:
        """Raises ``LocalError`` for credentials that no header can hold."""
        ticket = b"?" + scope["query_string"] if _TICKET.fullmatch(scope.get("query_string", b"")) else b""
        fields = [
            (b"host", self._place.encode()),
            (b"connection", b"close"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % length),
            *_about_the_client(scope),
        ]
        if caller.bearer:
            if not (caller.bearer.isascii() and caller.bearer.isprintable()):
                raise LocalError("Caller.bearer: expected printable ASCII characters")
            fields.append((b"authorization", b"Bearer " + caller.bearer.encode()))
        target = self._link.url.path.rstrip("/").encode() + INITIATE_PATH.encode() + ticket
        return h11.Request(method=b"POST", target=target, headers=fields)

    async def _forward(self, head: h11.Request, wish: bytes) -> "_Answer":
        try:
            reply = await self._link.ask(head, wish, self._timeout)
        except TimeoutError:
            logger.warning("the gateway at %s has not answered within %g s", self._place, self._timeout)
            return _problem(504, "GATEWAY_TIMEOUT", "The voice gateway takes too long; try again.", _TRY_AGAIN)
        except OSError as error:
            logger.warning("the gateway at %s cannot be reached: %s", self._place, error)
            return _problem(502, "GATEWAY_UNREACHABLE", "The voice gateway cannot be reached; try again.", _TRY_AGAIN)
        except h11.RemoteProtocolError as error:
            return self._odd(f"speaks no HTTP: {error}")
        return self._passed_back(reply)

    def _passed_back(self, reply: Reply) -> "_Answer":
        headers = [(name, value) for name, value in reply.response.headers if name in _PASSED_BACK]
        if reply.response.status_code == HTTPStatus.UNAUTHORIZED:
            return self._odd("does not know the credentials that the application has for it")
        if dict(headers).get(b"content-type", b"").partition(b";")[0] not in _MEDIA_TYPES:
            return self._odd(f"answers with {reply.response.status_code} and no JSON, as no gateway does")
        return _Answer(reply.response.status_code, [*headers, (b"cache-control", b"no-store")], reply.content)

    def _odd(self, why: str) -> "_Answer":
        logger.error("what is at %s %s", self._place, why)
        return _problem(502, "BAD_GATEWAY", "The voice gateway and the application do not fit; the log says why.")


class _Gone(Exception):
    """The client has left, and is not answered."""


class _Answer(msgspec.Struct, frozen=True):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def merged_untrusted(body: bytes, members: Mapping[str, Any]) -> bytes:
    """The client's wish, in which the application has the last word, whatever the case of a name. Raises ``Malformed``.

    What the client has sent is looked at by the gateway.
    """
    own = {name.lower() for name in members}
    wish = {name: value for name, value in split_object_untrusted(body).items() if name.lower() not in own}
    return msgspec.json.encode({**wish, **members})


def _about_the_client(scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    """Who the client is, and by which URL it came: a gateway that trusts the application goes by that."""
    headers = dict(scope["headers"])
    client = scope.get("client")
    if client and client[0]:  # not by a Unix socket
        yield b"x-forwarded-for", str(client[0]).encode()
    if b"host" in headers:
        yield b"x-forwarded-host", headers[b"host"]
        yield b"x-forwarded-proto", scope.get("scheme", "http").encode()
    yield from ((name, headers[name]) for name in _PASSED_ON if name in headers)


def _problem(status: int, code: str, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> _Answer:
    fields = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"), *headers]
    return _Answer(status, fields, msgspec.json.encode(problem_document(status, code, detail)))
