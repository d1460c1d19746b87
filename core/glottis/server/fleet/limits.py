"""The bounds that hold for all workers together: the parent counts their sessions and requests."""

import logging
import secrets

import msgspec

from glottis.contracts.cluster import Limited
from glottis.contracts.info import CallInfo, Principal
from glottis.server.fleet.messages import Claim, Granted, Refused, Wants
from glottis.server.http.rate_limit import RateLimiter
from glottis.server.sessions.admission import TooManySessions, Unavailable
from glottis.server.sessions.shares import SessionShares
from glottis.server.sessions.states import SessionState
from glottis.server.sessions.waiting_room import Waiting, WaitingRoom

logger = logging.getLogger(__name__)


class _Claimed(msgspec.Struct, eq=False):
    """See ``shares.Sharing``."""

    worker: int
    info: CallInfo
    state: SessionState = SessionState.CREATED


class _Campaign(msgspec.Struct, frozen=True):
    """See ``shares.Bounded``."""

    id: str
    max_sessions: float


class WholeLimits:
    """Sessions that workers have claimed, until they are released, or their worker is gone."""

    def __init__(self, wants: Wants) -> None:
        self._claims: dict[str, _Claimed] = {}
        self._of_workers: dict[int, set[str]] = {}
        self._waiting_room = WaitingRoom(0, lambda: secrets.token_urlsafe(16))
        self.set_bounds(wants)

    def set_bounds(self, wants: Wants) -> None:
        """From now on these hold, for the sessions that there are, too."""
        self._max_sessions = wants.max_sessions
        self._waiting_room.places = wants.queue
        self._shares = SessionShares(wants.max_sessions_per_client, wants.max_sessions_per_minute)
        for claimed in self._claims.values():
            self._shares.add(claimed)
        self._rates: dict[Limited, RateLimiter] = {
            "sessions": _limiter(wants.max_sessions_per_minute),
            "routes": _limiter(wants.max_requests_per_minute),
        }

    def __len__(self) -> int:
        return len(self._claims)

    @property
    def is_full(self) -> bool:
        """Whether there are as many sessions as there may be."""
        return len(self._claims) >= self._max_sessions

    def sessions_of(self, worker: int) -> int:
        """How many it has."""
        return len(self._of_workers.get(worker, ()))

    def claim(self, worker: int, wish: Claim) -> Granted | Refused:
        """Count another session, if there may be one."""
        principal = Principal(wish.principal, max_sessions=wish.most_of_principal)
        most = float("inf") if wish.most_of_campaign is None else wish.most_of_campaign
        if wish.session_id in self._claims or self.is_full:
            return Refused(wish.question, "FULL", "The gateway has as many calls as it takes, try again later")
        try:
            self._shares.check(_Campaign(wish.campaign, most), wish.client, principal)
        except TooManySessions as error:
            return Refused(wish.question, "", str(error))
        except Unavailable as error:
            return Refused(wish.question, error.code, str(error))
        info = CallInfo(wish.session_id, wish.campaign, principal=principal, client_host=wish.client)
        claimed = _Claimed(worker, info)
        self._claims[wish.session_id] = claimed
        self._of_workers.setdefault(worker, set()).add(wish.session_id)
        self._shares.add(claimed)
        return Granted(wish.question)

    def connected(self, worker: int, session_id: str) -> None:
        """Its client has come."""
        claimed = self._claims.get(session_id)
        if claimed is not None and claimed.worker == worker:
            claimed.state = SessionState.CONNECTING

    def release(self, worker: int, session_id: str) -> None:
        """It has ended."""
        claimed = self._claims.get(session_id)
        if claimed is None or claimed.worker != worker:
            return
        del self._claims[session_id]
        self._shares.remove(claimed)
        sessions = self._of_workers[worker]
        sessions.discard(session_id)
        if not sessions:
            del self._of_workers[worker]

    def forget(self, worker: int) -> int:
        """The worker is gone; says how many sessions have ended with it."""
        lost = list(self._of_workers.get(worker, ()))
        for session_id in lost:
            self.release(worker, session_id)
        return len(lost)

    # Who asks, and who waits

    @property
    def room(self) -> int:
        """For how many further sessions there is some."""
        return max(0, self._max_sessions - len(self._claims))

    def enter(self, client: str, ticket: str, room: int, now: float) -> tuple[float, bool]:
        """See ``sessions.entrance.Entrance``: the seconds to wait, and whether it may be tried."""
        seconds = 0.0
        if not self._waiting_room.is_due(ticket, now):
            seconds = self.seconds_to_wait("sessions", client, now)
        return seconds, self._waiting_room.may_try(ticket, room, now)

    def wait(self, ticket: str, client: str, now: float) -> Waiting | None:
        """See ``WaitingRoom``."""
        return self._waiting_room.wait(ticket, client, now)

    def leave(self, ticket: str) -> None:
        """See ``WaitingRoom``."""
        self._waiting_room.leave(ticket)

    def seconds_to_wait(self, what: Limited, client: str, now: float) -> float:
        """Count a request; see ``RateLimiter.take``."""
        return self._rates[what].take(client, now)


def _limiter(per_minute: int) -> RateLimiter:
    return RateLimiter(per_minute=per_minute, burst=per_minute)
