"""How many sessions a campaign, a client or a principal may have, whoever else wants some."""

from collections import Counter
from typing import Protocol

from glottis.contracts.info import CallInfo, Principal
from glottis.server.http.clients import client_key
from glottis.server.sessions.admission import TooManySessions, Unavailable
from glottis.server.sessions.states import SessionState


class Bounded(Protocol):
    """A campaign, as far as it takes so many sessions at a time and no more."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def max_sessions(self) -> float:
        """At a time."""


class Sharing(Protocol):
    """A session, as far as it has a part of what there is for all."""

    @property
    def info(self) -> CallInfo:
        """Whose it is."""

    @property
    def state(self) -> SessionState:
        """Whether anybody has connected to it."""


class SessionShares:
    """The sessions of each campaign, client address and principal, until their agents have stopped.

    ``most`` are all that one client may have, ``most_waiting`` those that it has created and not connected to: as many
    as it may create in a minute.
    """

    def __init__(self, most: int, most_waiting: int) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._sessions: dict[str, set[Sharing]] = {}
        self._of_principals: Counter[str] = Counter()
        """How many, by the principal's name."""
        self._of_campaigns: Counter[str] = Counter()
        """By their ids."""

    def check(self, campaign: Bounded, client_host: str, principal: Principal) -> None:
        """Raises ``Unavailable`` if the campaign has no room, and ``TooManySessions`` if it is this client that may
        have no more, or who asks for it.
        """
        if self._of_campaigns[campaign.id] >= campaign.max_sessions:
            raise Unavailable("FULL", "The campaign has as many calls as it takes, try again later")
        most = principal.max_sessions
        if most is not None and self._of_principals[principal.name] >= most:
            raise TooManySessions(
                f"Your credentials are good for so many sessions at a time: {most}; end some, or use others"
            )
        sessions = self._sessions.get(client_key(client_host), ())
        if len(sessions) >= self._most:
            raise TooManySessions("Your address has as many sessions as it may; end some, or try again later")
        if sum(session.state is SessionState.CREATED for session in sessions) >= self._most_waiting:
            raise TooManySessions("Your address has as many sessions as it may that nobody has connected to; use them")

    def add(self, session: Sharing) -> None:
        """It is created."""
        self._sessions.setdefault(client_key(session.info.client_host), set()).add(session)
        self._of_principals[session.info.principal.name] += 1
        self._of_campaigns[session.info.campaign_id] += 1

    def remove(self, session: Sharing) -> None:
        """It has ended, and its agent with it."""
        client = client_key(session.info.client_host)
        self._sessions[client].remove(session)
        if not self._sessions[client]:
            del self._sessions[client]
        self._of_campaigns[session.info.campaign_id] -= 1
        principal = session.info.principal.name
        self._of_principals[principal] -= 1
        if not self._of_principals[principal]:
            del self._of_principals[principal]
