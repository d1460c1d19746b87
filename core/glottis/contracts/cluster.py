"""Several gateways that are one to their callers: who knows them all, and what each of them can do for the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from glottis.contracts.info import Principal
from glottis.contracts.routes import RouteResponse

Limited = Literal["sessions", "routes"]
"""What requests may be for."""


@dataclass(frozen=True, slots=True)
class SessionWish:
    """A request for a session, of somebody whom the auth scheme knows. ``repr`` hides what the caller has written."""

    body: bytes
    """Of the request, as it came: it was parsed, and can be used."""
    campaign_id: str
    principal: Principal
    client_host: str = ""
    traceparent: str = ""
    request_id: str = ""
    """By which the log knows it."""
    dynamic_variables: Mapping[str, Any] = field(default_factory=dict)
    """In the body; decoded when looked at."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The same."""

    def __repr__(self) -> str:
        return f"SessionWish({self.campaign_id!r} for {self.principal.name})"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Of a session that this gateway does not have."""

    url: str = ""
    """Where clients reach the gateway that has it: ``https://a.example.org``. Empty: none is known to have it."""
    reason: str = ""
    """Why it has ended, where that is known."""
    is_certain: bool = True
    """False: it cannot be found out at the moment."""


class Seat(Protocol):
    """The sessions of this process, as a cluster sees them. For the gateway's thread."""

    @property
    def url(self) -> str:
        """Where clients reach this very gateway: its ``server.public_url``, or where it listens."""

    @property
    def capacity(self) -> int:
        """Sessions that it takes at a time."""

    @property
    def campaigns(self) -> Mapping[str, Sequence[str]]:
        """Those that have the extension, each with the names of its agents; who answers is the first."""

    def sessions(self) -> int:
        """How many there are now."""

    def unavailability(self) -> str:
        """Why it takes no session at the moment, as the ``code`` of the answer says it; empty if it takes one."""

    async def create(self, wish: SessionWish) -> RouteResponse:
        """What is answered to this request: a session that was created here, or the problem of why there is none.

        The body is bytes. Who asked may ask was found out elsewhere, and so was how often.
        """


class Cluster(Protocol):
    """All gateways together, as one of them sees them. What cannot be known soon is to be said so: callers wait.

    What takes longer than five seconds is given up, and counts as the answer of one who does not know.
    """

    async def place(self, wish: SessionWish) -> RouteResponse | None:
        """The answer of the gateway that was chosen for a session; None if that is this one."""

    async def seconds_to_wait(self, what: Limited, client: str, per_minute: int) -> float | None:
        """Count a request of a client, who may make so many in a row or a minute, wherever: 0 if it may, else the
        seconds after which it may. None: nobody counts, but the gateway itself.
        """

    async def find(self, session_id: str) -> Whereabouts:
        """Where a session is that this gateway does not have."""
