"""All sessions of the gateway: admission, tokens, and which socket belongs to which session (CONTRACT §1–2)."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import trio

from glottis.calls.streams import Wakeup
from glottis.config import Campaign, ResolvedConfig
from glottis.contracts.auth import TokenClaims
from glottis.contracts.errors import AuthenticationFailed
from glottis.contracts.info import CallInfo, Principal
from glottis.server.http.message import Request
from glottis.server.http.refusals import RefusalLog
from glottis.server.http.websocket import WebSocket
from glottis.server.sessions.admission import CreatedSession, Unavailable, UnknownCampaign, UnsupportedTransport
from glottis.server.sessions.channel import SignalingChannel, open_signaling, reject
from glottis.server.sessions.ice_servers import gather_ice_servers
from glottis.server.sessions.session import Session
from glottis.signaling.close_codes import HANG_UPS, SERVICE_RESTART
from glottis.signaling.errors import WebSocketClosed
from glottis.signaling.messages import Event, Text
from glottis.signaling.session_request import SessionRequest
from glottis.signaling.session_url import SessionUrl, parse_session_url_untrusted

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 2.0
"""Seconds for an agent to come to its end once it is cancelled. Who takes longer is named in the log."""
RESUME_LIFETIME = 24 * 3600.0
"""Seconds; a resumption's token dies with its session, which is what really bounds it."""

MakeSession = Callable[[CallInfo, Campaign], Session]


@dataclass(slots=True)
class _Entry:
    """A session and the tokens that are good for it: each nonce works once."""

    session: Session
    base_url: str
    nonces: dict[str, str]
    """By use: ``connect``, and after it ``resume``."""
    stopped: trio.Event = field(default_factory=trio.Event)
    """The session's task has ended, and with it the agent."""
    given_up: trio.Event = field(default_factory=trio.Event)
    """The agent has stopped, or has had its time to."""


class Sessions:
    """Creates sessions and runs them in ``nursery``; ``serve_websocket`` joins clients to them."""

    def __init__(self, config: ResolvedConfig, make_session: MakeSession, nursery: trio.Nursery) -> None:
        self._config = config
        self._make_session = make_session
        self._nursery = nursery
        self._entries: dict[str, _Entry] = {}
        """The sessions that have not ended, by their ids."""
        self._running: dict[str, _Entry] = {}
        """These, and the ended ones whose agents have not stopped yet."""
        self._refusals = RefusalLog()
        self._draining = False
        self._one_less = Wakeup()

    def __len__(self) -> int:
        return len(self._entries)

    # Creation

    def unavailability(self) -> Unavailable | None:
        """See ``routes.Placement``."""
        if self._draining:
            return Unavailable("DRAINING", "The gateway is about to stop, try again later")
        if len(self._running) >= self._config.config.server.max_sessions:
            return Unavailable("FULL", "The gateway has as many calls as it takes, try again later")
        return None

    async def create(
        self, request: SessionRequest, principal: Principal, client_host: str, base_url: str
    ) -> CreatedSession:
        """See ``routes.Placement``."""
        campaign = self._config.campaigns.get(request.campaign_id)
        if campaign is None:
            raise UnknownCampaign(request.campaign_id)
        if request.transport != "WebRTC":
            raise UnsupportedTransport(request.transport)
        self._check_availability()
        info = _call_info(request, principal, client_host)
        servers = await gather_ice_servers(self._config.ice_server_providers, info)
        self._check_availability()
        entry = _Entry(self._make_session(info, campaign), base_url, {"connect": secrets.token_urlsafe(12)})
        expires_at = time.time() + self._config.config.server.token_lifetime
        url = self._url(entry, "connect", expires_at)
        self._start(entry)
        return CreatedSession(info.session_id, url, expires_at, servers)

    def _check_availability(self) -> None:
        if (unavailability := self.unavailability()) is not None:
            raise unavailability

    def _start(self, entry: _Entry) -> None:
        session_id = entry.session.info.session_id
        self._entries[session_id] = self._running[session_id] = entry
        entry.session.ended = partial(self._forget, entry)
        self._nursery.start_soon(self._run, entry)

    async def _run(self, entry: _Entry) -> None:
        try:
            await entry.session.run()
        finally:
            del self._running[entry.session.info.session_id]
            entry.stopped.set()

    def _forget(self, entry: _Entry) -> None:
        """The call has ended; its agent has been cancelled, and is watched until it has stopped too."""
        del self._entries[entry.session.info.session_id]
        self._one_less.wake()
        self._nursery.start_soon(self._watch, entry)

    async def _watch(self, entry: _Entry) -> None:
        with trio.move_on_after(STOP_TIMEOUT) as patience:
            await entry.stopped.wait()
        if patience.cancelled_caught:
            logger.error("%s", _stubbornness(entry.session))
        entry.given_up.set()

    def _url(self, entry: _Entry, use: str, expires_at: float) -> str:
        info = entry.session.info
        claims = TokenClaims(info.session_id, info.client_identifier or "", expires_at, entry.nonces[use], use)
        token = self._config.auth.scheme.issue(claims)
        return SessionUrl(info.session_id, info.transport, token, resume=use == "resume").under(entry.base_url)

    # Connection

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
        async with open_signaling(websocket, resumed=url.resume, session_id=url.session_id) as channel:
            await self._serve_channel(entry, channel)

    def _admit(self, url: SessionUrl) -> _Entry:
        """The session that the token in the URL is good for; uses the token up. Raises ``AuthenticationFailed``."""
        claims = self._config.auth.scheme.verify(url.token, time.time())
        if claims.session_id != url.session_id or (claims.use == "resume") != url.resume:
            raise AuthenticationFailed(
                "TOKEN_INVALID", "The token belongs to another session or use; create a new session."
            )
        entry = self._entries.get(url.session_id)
        if entry is None or not entry.session.state.alive:
            raise AuthenticationFailed("SESSION_NOT_FOUND", "The session has ended; create a new one.")
        info = entry.session.info
        if claims.client_identifier != (info.client_identifier or ""):
            raise AuthenticationFailed("TOKEN_INVALID", "The token belongs to another client; create a new session.")
        if url.transport != info.transport:
            raise AuthenticationFailed(
                "TRANSPORT_MISMATCH", f"The session is for {info.transport}; use its URL as it is."
            )
        nonce = entry.nonces.get(claims.use)
        if nonce is None or not secrets.compare_digest(nonce, claims.nonce):
            raise AuthenticationFailed("TOKEN_USED", "The token was used before; resume the session or create another.")
        del entry.nonces[claims.use]
        return entry

    async def _serve_channel(self, entry: _Entry, channel: SignalingChannel) -> None:
        session = entry.session
        session.attach(channel)
        self._offer_resumption(entry, channel)
        try:
            while True:
                message = await channel.receive()
                session.handle_message(message)
                if isinstance(message, Text):
                    await session.wait_for_reader(channel)
        except WebSocketClosed as closed:
            logger.debug("session %s: %s", session.info.session_id, closed)
            if closed.code in HANG_UPS:
                session.leave(channel, closed.reason)
        finally:
            session.detach(channel)

    def _offer_resumption(self, entry: _Entry, channel: SignalingChannel) -> None:
        """Tell the client by which URL it can come back; the one before is void."""
        grace = self._config.config.server.resume_grace
        if grace > 0:
            entry.nonces["resume"] = secrets.token_urlsafe(12)
            url = self._url(entry, "resume", time.time() + RESUME_LIFETIME)
            channel.send(Event("resume", {"websocketUrl": url, "graceSeconds": grace}))

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

    def end_all(self, reason: str) -> None:
        """End every call, as before a restart."""
        for entry in list(self._entries.values()):
            entry.session.end(reason, code=SERVICE_RESTART)


def _stubbornness(session: Session) -> str:
    """What to say of an agent that shields itself from cancellation or swallows it: no one can end it from outside."""
    agent = f"agent {session.campaign.agent_name} of {session.campaign.plugin}"
    return f"session {session.info.session_id}: {agent} was cancelled {STOP_TIMEOUT:g} s ago and has not stopped"


def _call_info(request: SessionRequest, principal: Principal, client_host: str) -> CallInfo:
    return CallInfo(
        session_id=secrets.token_urlsafe(16),
        campaign_id=request.campaign_id,
        business_id=request.business_id,
        client_identifier=request.client_identifier,
        dynamic_variables=request.dynamic_variables,
        metadata=request.metadata,
        transport=request.transport,
        input=request.input,
        output=request.output,
        principal=principal,
        client_host=client_host,
    )
