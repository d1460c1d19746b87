"""How long a session waits for what: its times, and the deadline that follows from them."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple, Self

import msgspec
from msgspec.structs import replace

from glottis.config import Campaign
from glottis.contracts.info import Principal
from glottis.ice.timing import DEFAULT_TIMING, IceTiming
from glottis.server.sessions.deadlines import Deadlines


class SessionTimes(msgspec.Struct, frozen=True):
    """In seconds. ``connect`` and ``resume_grace`` are the configuration's (``server.token_lifetime``,
    ``server.resume_grace``)."""

    connect: float = 300.0
    """From the creation to the WebSocket."""
    setup: float = 45.0
    """From the WebSocket to flowing media."""
    resume_grace: float = 30.0
    call: float = math.inf
    """From media that flows to the gateway's hanging up (``max_call_time`` of the configuration and of principals)."""
    quiet: float = math.inf
    """Without a word from either side, until the gateway hangs up (``max_silence`` of the configuration)."""
    silence: float = 0.9
    """Without the client's WebSocket and without its media, until it counts as gone: within a second (CONTRACT §3), and
    with room for the loss of one of the packets, 0.4 s apart, that Opus sends of silence."""
    statistics: float = 5.0
    """Between the events that tell client and agent how the call fares."""
    text_patience: float = 5.0
    """That a client's further messages are held back for an agent that is behind with reading text: offers, candidates
    and byes are among them. Then text piles up, and is refused when there is no more room."""
    stop: float = 2.0
    """For an agent to come to its end once it is cancelled. Who takes longer is named in the log."""
    providers: float = 1.0
    """For all providers of ICE servers together; who is slower is left out."""
    ice: IceTiming = DEFAULT_TIMING

    def limited(self, campaign: Campaign, principal: Principal) -> Self:
        """Those of a session: who calls may have less time than others."""
        longest = min(campaign.max_call_time, principal.max_call_time or math.inf)
        return replace(self, call=longest, quiet=campaign.max_silence)


DEFAULT_TIMES: Final = SessionTimes()


class _Moment(NamedTuple):
    """When a session ends, and why."""

    moment: float
    reason: str


_NEVER: Final = _Moment(math.inf, "")


class Deadline:
    """When a session ends unless something happens before; ``over`` is told the reason then."""

    __slots__ = ("_call_by", "_client_by", "_deadlines", "_media_by", "_over", "_reason", "_times")

    def __init__(
        self, times: SessionTimes, deadlines: Deadlines, over: Callable[[str], None], *, created_at: float
    ) -> None:
        self._times = times
        self._deadlines = deadlines
        self._over = over
        self._client_by = self._media_by = self._call_by = _NEVER
        self._set(created_at + times.connect, "nobody connected before the token expired")

    def await_media(self, now: float) -> None:
        """The client's first socket is there."""
        self._media_by = _Moment(now + self._times.setup, "no media connection came about in time")
        self.client_is_back()

    def client_is_back(self) -> None:
        """There is a socket again, and what time there was for media goes on."""
        self._client_by = _NEVER
        self._await_all()

    def await_resumption(self, now: float) -> None:
        """The client's socket is lost."""
        grace_over = now + self._times.resume_grace
        self._client_by = _Moment(grace_over, "the signaling connection was lost and not resumed in time")
        self._await_all()

    def await_restart(self, now: float, failure: str) -> None:
        """Media has failed after it has flowed: there is as much time to restart ICE as to resume."""
        self._media_by = _Moment(now + self._times.resume_grace, failure)
        self._await_all()

    def media_flows(self, now: float) -> None:
        """There is a media connection; a client without a socket has to resume even so."""
        self._media_by = _NEVER
        if self._call_by is _NEVER:
            longest = self._times.call
            self._call_by = _Moment(now + longest, f"the call has lasted as long as it may, {longest:g} s")
        self._await_all()

    def lift(self) -> None:
        """Nothing is waited for."""
        self._deadlines.lift(self)

    def expire(self) -> None:
        """See ``Expiring``."""
        self._over(self._reason)

    def _await_all(self) -> None:
        self._set(*min(self._client_by, self._media_by, self._call_by))

    def _set(self, moment: float, reason: str) -> None:
        self._reason = reason
        if moment == math.inf:
            self.lift()
        else:
            self._deadlines.set(self, moment)
