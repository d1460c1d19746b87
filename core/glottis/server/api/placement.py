"""Where sessions are created, as far as the routes need to know."""

from typing import Final, Protocol

from glottis.contracts.info import Principal
from glottis.contracts.statistics import Statistics
from glottis.server.http.problem import Problem
from glottis.server.sessions.admission import CreatedSession, Unavailable
from glottis.server.sessions.session import Session
from glottis.signaling.session_request import SessionRequest

_RETRY_AFTER: Final = {"FULL": "10", "OVERLOADED": "10", "DRAINING": "5", "STARTING": "2"}
"""Seconds: calls last minutes; a restarted gateway is there within seconds."""


class Placement(Protocol):
    """The gateway's ``Sessions``, or whatever else creates sessions."""

    async def create(
        self, request: SessionRequest, principal: Principal, client_host: str, base_url: str
    ) -> CreatedSession:
        """Create a session whose WebSocket URL is under ``base_url`` (``ws://host`` or ``wss://host``).

        Raises ``Unavailable``, ``TooManySessions``, ``UnknownCampaign``, or ``Rejected`` for audio that cannot be had.
        """

    def come_in(self, session_id: str) -> Session | None:
        """A session of this process, which has been created for a client without a token; None if it has ended."""

    def key(self, purpose: str) -> bytes:
        """See ``Door``."""

    async def explain(self, session_id: str, principal: Principal | None) -> str | None:
        """How a session of this principal, or of anybody, fares or has fared lately, as text; None if there is none."""

    def statistics(self, session_id: str, principal: Principal | None) -> Statistics | None:
        """What was counted of a session of this principal, or of anybody; None if there is none, or was none lately."""

    def is_session_of(self, session_id: str, principal: Principal) -> bool:
        """Whether there is, or was lately, a session of this principal by this id."""

    def room(self) -> int:
        """For how many further sessions there is some, as far as that is known."""

    def unavailability(self) -> Unavailable | None:
        """Why no session can be created at the moment; None if one can."""


def service_unavailable(error: Unavailable) -> Problem:
    """The refusal that says why there is no session, and when to try again."""
    retry_after = (("retry-after", _RETRY_AFTER.get(error.code, "5")),)
    return Problem(503, error.code, f"{error}.", retry_after, is_of_process=error.is_of_process)
