"""Doors: how a plugin's routes make calls for clients that speak another protocol, such as WHIP.

What comes in by a door is a call like any other: the same campaigns, auth scheme, limits, agents and traces. In place
of a WebSocket the client has a route of the plugin's, which says for it what CONTRACT has for clients to say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from glottis.contracts.errors import RemoteError
from glottis.contracts.info import Principal

Hear = Callable[[Mapping[str, Any]], None]
"""Is given what the gateway says to the client: messages as CONTRACT §3 has them, but for answers and errors."""


class DoorRefused(RemoteError):
    """What the client wants cannot be had. ``code`` is stable, and ``detail`` says in a sentence what to change.

    ``RouteResponse.refusal`` is the answer as the gateway words it.
    """

    def __init__(self, status: int, code: str, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail, code=code)
        self.status = status
        """Of HTTP, with which the gateway itself refuses it."""
        self.detail = detail
        self.headers = headers
        """Those that belong to the status, such as ``retry-after`` or ``www-authenticate``."""


@dataclass(frozen=True, slots=True)
class ToClient:
    """A text by the data channel of a dialect. It is dropped, and counted, where the client takes none."""

    text: str


@dataclass(frozen=True, slots=True)
class ToAgent:
    """A text, as chat: a JSON object with a string ``type`` is a typed message, such as ``{"type": "interrupt"}``."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """The client hangs up."""

    reason: str = ""


Saying = ToClient | ToAgent | HangUp
"""What comes of something that was said, in its order."""


class Dialect(Protocol):
    """What a client says and hears by a data channel that it opens, where it does not speak CONTRACT.

    Each method is called for one thing that happens, does not wait, and returns or yields what comes of it. What it
    raises, and what is no ``Saying``, ends the call.
    """

    @property
    def label(self) -> str:
        """Of the client's data channel. Nothing of the gateway's own is sent by it, and agents do not see it."""

    def opened(self) -> Iterable[Saying]:
        """The channel is open: it may be told again, where the client opens another in its place."""

    def client_says(self, text: str) -> Iterable[Saying]:
        """By the channel. The text may be as long as messages of data channels may be, and anything."""

    def gateway_says(self, message: Mapping[str, Any]) -> Iterable[Saying]:
        """A ``text`` or an ``event`` (CONTRACT §3, §5), of the agent's or the gateway's own; after ``opened``.

        What is said before waits for that, up to 100 messages and 256 KiB, and the oldest are dropped and counted.
        """


class DoorCall(Protocol):
    """A call, from its client's side. It ends when either side ends it, or when its media is lost."""

    @property
    def session_id(self) -> str:
        """Letters, digits, hyphens and underscores. As a segment of a route's path it leads to this process."""

    @property
    def principal(self) -> Principal:
        """Who has made it, as the auth scheme has recognised it."""

    @property
    def ice_servers(self) -> Sequence[Mapping[str, Any]]:
        """For the client, as RTCConfiguration takes them (W3C webrtc §4.2.1)."""

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, or somebody else has taken the client's place."""

    async def answer(self, sdp: str, *, gathering: float | None = None) -> str:
        """The answer to an offer of the client's, the first or a later one. Raises ``DoorRefused``.

        With ``gathering`` it waits up to so many seconds for candidates of STUN and TURN servers, and has all of the
        gateway's in it: for clients that are told none later. ``hear`` is told all of them in any case.
        """

    def add_candidate(
        self,
        candidate: str,
        *,
        sdp_mid: str | None = None,
        sdp_m_line_index: int | None = None,
        username_fragment: str | None = None,
    ) -> None:
        """One of the client's; an empty one is the end of them. Odd ones are ignored. Raises ``DoorRefused``."""

    async def send_text(self, text: str) -> None:
        """To the agent, as chat; waits while that is behind. Raises ``DoorRefused``."""

    def send_audio(self, data: bytes) -> None:
        """What the client says, if its audio goes by WebSocket: in ``audioConfig.input``, in pieces of any length.

        To be called at the pace of time. Raises ``DoorRefused``.
        """

    def send_key(self, digit: str, seconds: float = 0.1) -> None:
        """The client has pressed this key for so long, in such a call. Raises ``DoorRefused``."""

    def send_mark(self, mark: int) -> None:
        """The client has played what came before the mark with this id. Raises ``DoorRefused``."""

    async def receive_audio(self) -> bytes | Mapping[str, Any] | None:
        """What the client of such a call is to play next, in ``audioConfig.output``; None at its end, after all of it.

        Among it come the events ``mark`` and ``flush``, as CONTRACT §5 has them. Half a second of it waits at most: of
        what is not taken the oldest is dropped.
        """

    def end(self, reason: str = "") -> None:
        """The client hangs up."""


class Door(Protocol):
    """Of one request: whoever has sent it is the client."""

    async def call(
        self,
        wanted: Mapping[str, Any],
        hear: Hear | None = None,
        *,
        dialect: Dialect | None = None,
        bearer: str = "",
        principal: Principal | None = None,
    ) -> DoorCall:
        """Make a session as ``POST /api/websession/initiate`` does with this document (CONTRACT §1).

        The auth scheme is asked about the request, whatever the route's access, unless the plugin itself has recognised
        ``principal`` by the client's protocol. ``bearer`` is the client's token where its protocol does not have it in
        a header ``Authorization: Bearer`` (RFC 6750 §2.1), for the scheme to find it there. A wait in a queue is not
        offered. What ``hear`` raises ends the call. Raises ``DoorRefused``.

        ``dialect`` is what the client speaks by a data channel, if it does; ``hear`` is told the same beside it.
        """

    async def invite(self, wanted: Mapping[str, Any], *, bearer: str = "") -> Mapping[str, Any]:
        """Make a session in the same way, for a client that comes to it by WebSocket.

        The document is what that route answers with: ``sessionId``, ``websocketUrl`` and the like. With a cluster the
        session may be on another node. Raises ``DoorRefused``.
        """

    def find(self, session_id: str) -> DoorCall | None:
        """The call that has come in by a door as this session, if it is not over.

        Whether it is this client's is for the route's access to say: ``session``.
        """

    async def elsewhere(self, session_id: str) -> str:
        """The URL of another node of the cluster that has this session, such as ``https://b.example``; else empty.

        Clients that ``find`` does not know can be sent there.
        """

    async def principal(self) -> Principal:
        """Who has sent the request, as the auth scheme recognises it. Raises ``DoorRefused``.

        For routes that are for everybody, and word their refusals themselves.
        """

    def key(self, purpose: str) -> bytes:
        """32 bytes for this purpose of the plugin's, which all workers of this gateway have, and nobody else.

        What is signed or sealed with them is good until the gateway is started anew. Nodes of a cluster have others.
        """

    def on_behalf_of(self, another: "Door | Mapping[str, str]") -> "Door":
        """The same client with what the request of the other door has to show, for one who was given a key by it.

        In place of a door there may be that request's headers, as a key has kept them.
        The auth scheme is asked about that request's headers and this one's address, whenever it is asked: so what is
        no longer good for the one is not for the other.
        """
