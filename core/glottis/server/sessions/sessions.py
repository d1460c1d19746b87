"""All sessions of the gateway: admission, and which socket belongs to which session (CONTRACT §1–2)."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

import msgspec
import trio

from glottis.barrier import stop
from glottis.calls.leg import LegFactory
from glottis.calls.limits import CallLimits
from glottis.calls.streams import SmallEvent, Wakeup
from glottis.config import Campaign, ResolvedConfig
from glottis.contracts.errors import AuthenticationFailed
from glottis.contracts.info import CallInfo, Principal
from glottis.contracts.log_fields import LogFields, log_fields, logged_as, set_log_fields
from glottis.contracts.statistics import Statistics
from glottis.isolation.workers import AgentWorkers
from glottis.server.http.message import Request
from glottis.server.http.refusals import RefusalLog
from glottis.server.http.turns import Turns
from glottis.server.http.websocket import WebSocket
from glottis.server.sessions.admission import CreatedSession, Unavailable, UnknownCampaign, call_info_of
from glottis.server.sessions.attendance import Attendance
from glottis.server.sessions.channel import SignalingChannel, open_signaling, reject
from glottis.server.sessions.deadlines import Deadlines
from glottis.server.sessions.ice_servers import IceServerDesk
from glottis.server.sessions.selection import with_selected_agent
from glottis.server.sessions.session import Session
from glottis.server.sessions.shares import SessionShares
from glottis.server.sessions.states import SessionState
from glottis.server.sessions.times import SessionTimes
from glottis.server.sessions.tokens import CONNECT, RESUME, TokenDesk, steady_time
from glottis.server.sessions.traces import Trace, Traces
from glottis.server.sessions.verdict import page
from glottis.server.sessions.whole import Alone, Whole, claimed
from glottis.signaling.close_codes import SERVICE_RESTART
from glottis.signaling.messages import Event
from glottis.signaling.session_request import WEBRTC, SessionRequest
from glottis.signaling.session_url import SessionUrl, parse_session_url_untrusted

logger = logging.getLogger(__name__)

SETTING_UP: Final = 10.0
"""Seconds from the request for a session to its media, if anybody is in a hurry."""
_COMING: Final = (SessionState.CREATED, SessionState.CONNECTING)
RESUME_LIFETIME: Final = 10 * 365 * 86_400.0
"""Seconds: longer than any session, whose end is the end of its tokens."""


class _Entry(msgspec.Struct):
    """A session, where its client finds it, and how far it has come in ending."""

    session: Session
    base_url: str
    stopped: SmallEvent = msgspec.field(default_factory=SmallEvent)
    """The session's task has ended, and with it the agent."""
    given_up: SmallEvent = msgspec.field(default_factory=SmallEvent)
    """The agent has stopped, or has had its time to."""


class Sessions:
    """Creates sessions and runs them in ``nursery``; ``serve_websocket`` joins clients to them.

    ``legs`` makes the legs of calls, by the name of their transport: it has all of ``TRANSPORTS``. ``whole`` is there
    where other processes have sessions of the same gateway.
    """

    def __init__(
        self,
        config: ResolvedConfig,
        nursery: trio.Nursery,
        *,
        legs: Mapping[str, LegFactory],
        tokens: TokenDesk,
        ice_servers: IceServerDesk,
        times: SessionTimes,
        call_limits: CallLimits,
        turns: Turns,
        workers: AgentWorkers,
        whole: Whole | None = None,
    ) -> None:
        self._config = config
        self._whole = whole if whole is not None else Alone()
        self._workers = workers
        self._nursery = nursery
        self._legs = legs
        self._tokens = tokens
        self._ice_servers = ice_servers
        self._times = times
        self._call_limits = call_limits
        self._turns = turns
        self._deadlines = Deadlines(turns)
        self._entries: dict[str, _Entry] = {}
        """The sessions that have not ended, by their ids."""
        self._running: dict[str, _Entry] = {}
        """These, and the ended ones whose agents have not stopped yet."""
        server = config.config.server
        self._shares = SessionShares(server.max_sessions_per_client, server.max_sessions_per_minute)
        self._refusals = RefusalLog()
        self._draining = False
        self._one_less = Wakeup()

        self.is_overloaded: Callable[[], bool] = lambda: False
        """Whether the calls that there are would suffer from another one."""
        self.refused_for_load = 0
        """Requests for sessions."""
        self._complexity: int | None = None
        self._traces = Traces()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Session]:
        return iter([entry.session for entry in self._entries.values()])

    @property
    def running(self) -> int:
        """How many there are with those that have ended, but whose agents have not stopped yet."""
        return len(self._running)

    def find(self, session_id: str) -> Session | None:
        """The session, unless it has ended."""
        entry = self._entries.get(session_id)
        return entry.session if entry is not None else None

    async def keep_deadlines(self) -> None:
        """Until cancelled: end the sessions whose time is over."""
        await self._deadlines.run()

    # Creation

    def room(self) -> int:
        """See ``api.placement.Placement``; none where load has to tell."""
        return 0 if self.is_overloaded() else max(0, self._config.config.server.most_sessions - self.running)

    def unavailability(self) -> Unavailable | None:
        """See ``api.placement.Placement``."""
        return self._whole.unavailability(self.own_unavailability)

    def own_unavailability(self) -> Unavailable | None:
        """The same of this process alone."""
        if (refusal := self._refusal()) is not None:
            return refusal
        if not self._workers.have_begun:
            return Unavailable("STARTING", "Agents are being loaded, try again soon")
        return None

    def _refusal(self) -> Unavailable | None:
        """Why no session can be created of any campaign."""
        if self._draining:
            return Unavailable("DRAINING", "The gateway is about to stop, try again later")
        if self.running >= self._config.config.server.most_sessions:
            return Unavailable("FULL", "The gateway has as many calls as it takes, try again later")
        if self.is_overloaded():
            return Unavailable("OVERLOADED", "Another call would be one too many for this machine, try again later")
        return None

    async def create(
        self, request: SessionRequest, principal: Principal, client_host: str, base_url: str
    ) -> CreatedSession:
        """See ``api.placement.Placement``."""
        campaign = self._config.campaigns.get(request.campaign_id)
        if campaign is None:
            raise UnknownCampaign(request.campaign_id)
        self._check_availability(campaign, client_host, principal)
        if not await self._workers.some_ready(campaign.id):
            raise Unavailable("STARTING", "The agent is being loaded, try again soon", is_of_process=True)
        if self._workers.is_full(campaign.id):
            raise Unavailable("FULL", "The agent has as many calls as it takes, try again later", is_of_process=True)
        info = call_info_of(self._whole.new_session_id(), request, campaign, principal, client_host)
        with logged_as(_fields_of(info)):
            return await self._create(info, campaign, base_url)

    async def _create(self, info: CallInfo, campaign: Campaign, base_url: str) -> CreatedSession:
        campaign, info = with_selected_agent(campaign, info)
        servers = await self._ice_servers.ask(info) if info.transport == WEBRTC else []
        async with claimed(self._whole, info, campaign), self._turns:
            self._check_availability(campaign, info.client_host, info.principal)
            lifetime = self._times.connect
            session = self._make(info, campaign)
            url = self._tokens.issue(info, CONNECT, steady_time() + lifetime).under(base_url)
            self._start(_Entry(session, base_url))
        return CreatedSession(info.session_id, url, time.time() + lifetime, servers, session.leg.formats)

    def _make(self, info: CallInfo, campaign: Campaign) -> Session:
        session = Session(
            info,
            campaign,
            self._legs[info.transport],
            ended=partial(self._forget, info.session_id),
            deadlines=self._deadlines,
            plugins=self._config.plugins,
            times=self._times.limited(campaign, info.principal),
            call_limits=self._call_limits,
            resampling=self._config.resampling,
            make_call=self._workers.factory(campaign.id),
        )
        if self._complexity is not None:
            session.set_complexity(self._complexity)
        return session

    def _check_availability(self, campaign: Campaign, client_host: str, principal: Principal) -> None:
        if (refusal := self._refusal()) is not None:
            self.refused_for_load += refusal.code == "OVERLOADED"
            refusal.is_of_process = refusal.code != "FULL"
            raise refusal
        self._shares.check(campaign, client_host, principal)

    def _start(self, entry: _Entry) -> None:
        session_id = entry.session.info.session_id
        self._entries[session_id] = self._running[session_id] = entry
        self._shares.add(entry.session)
        self._traces.add(entry.session.trace)
        self._nursery.start_soon(self._run, entry)

    async def _run(self, entry: _Entry) -> None:
        try:
            await entry.session.run()
        except BaseException as error:  # a bug of its own barrier is still no other session's
            stop(error, entry.session.failed)
        finally:
            del self._running[entry.session.info.session_id]
            self._shares.remove(entry.session)
            self._whole.release(entry.session.info.session_id)
            entry.stopped.set()

    def _forget(self, session_id: str) -> None:
        """The call has ended; its agent has been cancelled, and is watched until it has stopped too."""
        entry = self._entries.pop(session_id)
        self._tokens.forget(session_id)
        self._traces.end(session_id, trio.current_time())
        self._one_less.wake()
        self._nursery.start_soon(self._watch, entry)

    async def _watch(self, entry: _Entry) -> None:
        with trio.move_on_after(self._times.stop) as patience:
            await entry.stopped.wait()
        if patience.cancelled_caught:
            logger.error("%s", _stubbornness(entry.session, self._times.stop))
        entry.given_up.set()

    # Traces

    async def explain(self, session_id: str, principal: Principal | None) -> str | None:
        """See ``api.placement.Placement``."""
        trace = self._trace_of(session_id, principal)
        if trace is None:
            owner, text = await self._whole.recall(session_id) or ("", "")
            return text if text and (principal is None or owner == principal.name) else None
        session = self.find(session_id)
        outcome = session.outcome() if session is not None else trace.outcome
        return page(trace, outcome) if outcome is not None else None

    def past(self) -> Iterator[tuple[Trace, float]]:
        """The traces of sessions that have ended, and the seconds for which they are still kept."""
        return self._traces.ended(trio.current_time())

    def statistics(self, session_id: str, principal: Principal | None) -> Statistics | None:
        """See ``api.placement.Placement``."""
        trace = self._trace_of(session_id, principal)
        if trace is None:
            return None
        session = self.find(session_id)
        return session.statistics() if session is not None else trace.statistics

    def is_session_of(self, session_id: str, principal: Principal) -> bool:
        """See ``api.placement.Placement``."""
        return self._trace_of(session_id, principal) is not None

    def _trace_of(self, session_id: str, principal: Principal | None) -> Trace | None:
        """None as a principal may read them all."""
        trace = self._traces.find(session_id, trio.current_time())
        may_read = trace is not None and (principal is None or trace.principal == principal.name)
        return trace if may_read else None

    def end(self, session_id: str, reason: str) -> bool:
        """See ``SessionDesk``."""
        session = self.find(session_id)
        if session is not None:
            with logged_as(session.log_fields):
                session.end(reason)
        return session is not None

    # Connection

    def key(self, purpose: str) -> bytes:
        """See ``Placement``."""
        return self._tokens.key(purpose)

    def come_in(self, session_id: str) -> Session | None:
        """See ``api.placement.Placement``."""
        session = self.find(session_id)
        if session is not None:
            self._tokens.forget(session_id)
            self._whole.connected(session_id)
        return session

    async def serve_websocket(self, request: Request, websocket: WebSocket) -> None:
        """Join the client of an accepted WebSocket to its session, until either ends."""
        url = parse_session_url_untrusted(request.path, request.query)
        try:
            entry = self._admit(url)
        except AuthenticationFailed as refusal:
            line = f"WebSocket of session {url.session_id} from {request.client_host} refused: {refusal.code}"
            self._refusals.note_line(line, request.client_host, trio.current_time())
            await reject(websocket, refusal.code, str(refusal))
            return
        websocket.taken()
        if not entry.session.leg.negotiates:
            websocket.expect_audio()
        answered = url.resume or not entry.session.leg.negotiates
        set_log_fields(entry.session.log_fields)
        async with open_signaling(
            websocket, answered=answered, session_id=url.session_id, turns=self._turns
        ) as channel:
            attendance = Attendance(entry.session, channel)
            attendance.begin()
            try:
                self._offer_resumption(entry, channel)
                await attendance.take_all(channel, self._turns)
            finally:
                attendance.end()

    def _admit(self, url: SessionUrl) -> _Entry:
        """The session that the token in the URL is good for; uses the token up. Raises ``AuthenticationFailed``."""
        entry = self._entries.get(url.session_id)
        self._tokens.redeem(url, entry.session.info if entry is not None else None)
        assert entry is not None
        self._whole.connected(url.session_id)
        return entry

    def _offer_resumption(self, entry: _Entry, channel: SignalingChannel) -> None:
        """Tell the client by which URL it can come back; the one before is void."""
        grace = self._times.resume_grace
        if grace > 0 and entry.session.state.alive:
            url = self._tokens.issue(entry.session.info, RESUME, steady_time() + RESUME_LIFETIME)
            channel.send(Event("resume", {"websocketUrl": url.under(entry.base_url), "graceSeconds": grace}))

    # Load

    def census(self, now: float) -> tuple[int, int]:
        """How many calls have media, and how many sessions are so new that they may soon.

        Others wait for a client who takes his time, or for nobody.
        """
        states = [(session.state, now - session.created_at) for session in self]
        talking = sum(state is SessionState.ACTIVE for state, _ in states)
        return talking, sum(state in _COMING and age <= SETTING_UP for state, age in states)

    def set_complexity(self, complexity: int) -> None:
        """See ``Leg.set_complexity``: of all calls, and of those to come."""
        self._complexity = complexity
        for session in self:
            with logged_as(session.log_fields):
                session.set_complexity(complexity)

    # The end

    def drain(self) -> None:
        """Admit no more sessions."""
        self._draining = True

    async def wait_empty(self) -> None:
        """Wait until every call has ended."""
        while self._entries:
            await self._one_less.wait()

    async def wait_stopped(self) -> bool:
        """After ``end_all``: wait for the agents, but not for long; says whether all of them have stopped."""
        for entry in list(self._running.values()):
            await entry.given_up.wait()
        return not self._running

    async def end_all(self, reason: str) -> None:
        """Admit no more sessions, and end every call, as before a restart: each in its turn."""
        self.drain()
        for session_id in list(self._entries):  # which keeps none alive that has ended
            async with self._turns:
                if (session := self.find(session_id)) is not None:
                    with logged_as(session.log_fields):
                        session.end(reason, code=SERVICE_RESTART)
            del session


def _stubbornness(session: Session, seconds: float) -> str:
    """What to say of an agent that shields itself from cancellation or swallows it: no one can end it from outside."""
    return f"session {session.info.session_id}: {session.serving} was cancelled {seconds:g} s ago and has not stopped"


def _fields_of(info: CallInfo) -> LogFields:
    return log_fields()._replace(session=info.session_id, campaign=info.campaign_id)
