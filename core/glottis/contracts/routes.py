"""HTTP routes that a plugin adds to the gateway's, such as one by which an operator fetches a recording."""

import http
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import msgspec

from glottis.contracts.doors import Door, DoorRefused
from glottis.contracts.info import Principal

ROUTES_PREFIX: Final = "/api/plugins/"
"""Below it each set of routes has a folder of its name, so that no two can collide."""
LONGEST_TIMEOUT: Final = 30.0
"""Seconds that a route may ask for."""

Access = Literal["public", "principal", "session", "operator"]
"""Who may use a route: everybody; whom the auth scheme recognises; of these, whoever has created the session that the
path names; or an operator, whom ``auth.operators`` names."""


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A request that the gateway has let in. ``repr`` shows neither query nor headers nor body, which hold secrets.

    ``parameters`` are the segments that stand in the path for ``{name}``: letters, digits and characters of ``-._~``.
    Header names are lower case; values of headers and of the query may hold any text.
    """

    method: str
    path: str
    """Below the folder of the routes, as the ``Route`` has it: ``/calls/7/audio``."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client_host: str = ""
    """The IP address that the request came from; behind a trusted proxy the one that this names."""
    principal: Principal | None = None
    """Who asks; None on a public route, where nobody is asked."""
    door: Door | None = None
    """By which the client can make calls: the gateway's requests have one."""

    def __repr__(self) -> str:
        return f"RouteRequest({self.method} {self.path} from {self.client_host})"


@dataclass(frozen=True, slots=True)
class RouteResponse:
    """What a route answers. It is not cached, unless ``headers`` say so by ``cache-control``.

    ``headers`` are further ones: those of the connection, ``content-length`` and ``content-type`` are not among them.
    A long body comes piece by piece from an async iterator, an async generator as a rule, which is closed at the end.
    ``code`` says that, and why, a request is refused: for the log, and what is counted, by one of a few words.
    """

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    media_type: str = "text/plain; charset=utf-8"
    headers: Sequence[tuple[str, str]] = ()
    code: str = ""

    @classmethod
    def json(cls, value: object, status: int = 200) -> "RouteResponse":
        """``value`` as JSON."""
        return cls(status, msgspec.json.encode(value), "application/json")

    @classmethod
    def problem(cls, status: int, code: str, detail: str) -> "RouteResponse":
        """A refusal, as the gateway words its own: a stable ``code``, and a sentence that says what to change."""
        document = problem_document(status, code, detail)
        return cls(status, msgspec.json.encode(document), "application/problem+json", code=code)

    @classmethod
    def refusal(cls, refused: DoorRefused) -> "RouteResponse":
        """What a door has refused, as a problem with its headers."""
        document = problem_document(refused.status, refused.code, refused.detail)
        body = msgspec.json.encode(document)
        return cls(refused.status, body, "application/problem+json", refused.headers, refused.code)


def problem_document(status: int, code: str, detail: str) -> dict[str, Any]:
    """RFC 9457; its type is ``about:blank``, so its title is the status code's phrase (§4.2.1)."""
    title = http.HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path: ``Route("GET", "/calls/{session_id}/audio", "session", retrieve)``.

    ``path`` begins with a slash. A segment in braces stands for any one, which the handler finds in
    ``RouteRequest.parameters``. What stands for ``{secret}``, and what comes after it, is in no log. A route for
    ``session`` has the segment ``{session_id}``; it serves as long as the gateway knows the session, which is for a
    quarter of an hour after its end. ``GET`` answers ``HEAD``, too.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    access: Access
    handle: Callable[[RouteRequest], Awaitable[RouteResponse]]
    """An async function. What it raises is answered with 500; the client is told nothing of it, and the log all."""
    timeout: float = 10.0
    """Seconds after which it is cancelled, and the request answered with 503; at most ``LONGEST_TIMEOUT``. Each piece
    of a long body has as many."""
    makes_calls: bool = False
    """Each request is for a call by its door: where the gateway has several workers, the one with most room for it has
    the request, and another one after it whose door has refused it for want of room."""
    accepts: str = ""
    """The media type of what is sent to it, which ``OPTIONS`` tells: ``Accept-Post``, ``Accept-Patch`` (RFC 5789)."""


class RouteSocket(Protocol):
    """A WebSocket of a client's (RFC 6455), which is open. It may be sent by several tasks, and received by one."""

    async def receive(self) -> str | bytes:
        """The next message, of ``server.max_message_bytes`` at most. Raises ``WebSocketClosed`` after the last one."""

    async def send(self, message: str | bytes) -> None:
        """Send a message; raises ``WebSocketClosed``, also when the client does not read for a while."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it with this code, and as much of the reason as fits."""


@dataclass(frozen=True, slots=True)
class SocketRoute:
    """A WebSocket at one path, for whose ``path`` and ``access`` the same holds as for those of a ``Route``.

    What comes of the access is known before the handshake: whoever is refused is so by HTTP.
    """

    path: str
    access: Access
    handle: Callable[[RouteRequest, RouteSocket], Awaitable[None]]
    """An async function. The WebSocket is closed when it returns: with 1000, or with 1011 for what it raises, of which
    the log is told. A ``WebSocketClosed`` that comes out of it is no failure, nor is a ``DoorRefused``, which is logged
    and counted as a refusal: for it the WebSocket is closed with 1013 where it has status 429 or 503, else with 1008,
    and with its code and detail."""


@dataclass(frozen=True, slots=True)
class RoutesSpec:
    """A set of routes as ``register_routes`` returns it; configuration enables it by ``name``, which is its folder.

    ``create`` is called once at start-up with an instance of ``config_type`` (None: it takes no settings).
    """

    name: str
    create: Callable[[Any], Sequence[Route | SocketRoute]]
    config_type: type[msgspec.Struct] | None = None
    folder: str = ""
    """Where else than below ``ROUTES_PREFIX`` they are, for clients who know their paths: ``/v1/realtime``."""
    refuse: Callable[[DoorRefused], RouteResponse] | None = None
    """Words what the gateway itself refuses below the folder, such as a path that no route has, or a body that is too
    long, for clients who know no problem documents. The headers stay as they are."""
