"""Creating a session: who asks, may they, and what they get (CONTRACT §1)."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from glottis.contracts.cluster import SessionWish
from glottis.contracts.info import Principal
from glottis.contracts.log_fields import log_fields, logged_as
from glottis.contracts.routes import RouteResponse
from glottis.server.api.authentication import Authentication, check_wait
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.placement import Placement, service_unavailable
from glottis.server.clustering import ClusterDesk
from glottis.server.http.entry import Entry
from glottis.server.http.message import Request, Response, json_response
from glottis.server.http.problem import Problem
from glottis.server.http.trace_context import traceparent
from glottis.server.http.turns import Turns
from glottis.server.sessions.admission import (
    CreatedSession,
    TooManySessions,
    Unavailable,
    UnknownCampaign,
)
from glottis.server.sessions.entrance import Entrance, ticket_of
from glottis.server.sessions.ice_servers import ice_server_document
from glottis.server.sessions.waiting_room import ASK_AGAIN, Waiting
from glottis.signaling.errors import Rejected
from glottis.signaling.session_request import SessionRequest, parse_session_request_untrusted

_PASSING: Final = ("FULL", "OVERLOADED")
"""Refusals that end with other calls: who is refused so can wait."""
_BEHIND_OTHERS: Final = Unavailable("FULL", "Others wait already for calls to end, try again later")
_ABOUT_PROXIES: Final = "if that is the address of a proxy, it is none of server.trusted_proxies"

logger = logging.getLogger(__name__)


class Initiate:
    """The route ``INITIATE_PATH``. What is wrong with a request is raised as ``Problem``."""

    def __init__(
        self,
        sessions: Placement,
        authentication: Authentication,
        *,
        cors: CorsPolicy,
        turns: Turns,
        entrance: Entrance,
        cluster: ClusterDesk,
    ) -> None:
        self._sessions = sessions
        self._authentication = authentication
        self._cors = cors
        self.turns = turns
        self._entrance = entrance
        self._cluster = cluster

    async def post(self, request: Request) -> Response:
        """Create a session, and say where it waits for its client; or which place that has in the queue."""
        self._cors.check(request)
        created = await self._make(request, None, here=False)
        return _come_again(created) if isinstance(created, Waiting) else _answer(created)

    async def invite(self, request: Request) -> Response:
        """The same for a client that knows of no queue; the route that it asks has checked its origin."""
        created = await self._make(request, None, here=False, waits=False)
        assert not isinstance(created, Waiting), "it is in no queue"
        return _answer(created)

    async def create(self, request: Request, principal: Principal | None = None) -> CreatedSession:
        """The session that the request is for, in this process, whoever answers it: nobody waits in a queue.

        Where the ``principal`` is known, the auth scheme is not asked.
        """
        created = await self._make(request, principal, here=True, waits=False)
        assert isinstance(created, CreatedSession), "it is nowhere else"
        return created

    async def _make(
        self, request: Request, known: Principal | None, *, here: bool, waits: bool = True
    ) -> CreatedSession | Waiting | RouteResponse:
        entry = await self._entrance.enter(request)
        check_wait(entry.seconds)
        session_request = await self._read(request)
        if isinstance(session_request, Problem):  # which only those are told whom the scheme knows
            if known is None:
                await self._authentication.caller_of(request, None)
            raise session_request
        principal = known or await self._authentication.caller_of(request, session_request.campaign_id)
        created = await self._admit(session_request, principal, request, entry, here=here, waits=waits)
        if isinstance(created, CreatedSession):
            _log(created, session_request.campaign_id, principal)
        return created

    async def create_for(self, wish: SessionWish, base_url: str) -> RouteResponse:
        """See ``Seat.create``."""
        try:
            async with self.turns:
                wanted = parse_session_request_untrusted(wish.body)
            wanted = replace(wanted, traceparent=wish.traceparent)
            created = await self._create(wanted, wish.principal, wish.client_host, base_url)
        except Unavailable as error:
            return _as_route(service_unavailable(error).response())
        except Rejected as error:
            return _as_route(Problem(400, error.code, f"Correct the request: {error}.").response())
        except Problem as problem:
            return _as_route(problem.response())
        _log(created, wish.campaign_id, wish.principal)
        return _as_route(json_response(200, _created_document(created)))

    async def _read(self, request: Request) -> SessionRequest | Problem:
        """What is wanted, or why nobody can tell."""
        try:
            _check_media_type(request)
            async with self.turns:
                wanted = parse_session_request_untrusted(request.body)
            return replace(wanted, traceparent=traceparent(request.headers))
        except Rejected as error:
            return Problem(400, error.code, f"Correct the request: {error}.")
        except Problem as problem:
            return problem

    async def _admit(
        self,
        session_request: SessionRequest,
        principal: Principal,
        request: Request,
        entry: Entry,
        *,
        here: bool,
        waits: bool,
    ) -> CreatedSession | Waiting | RouteResponse:
        """Those who wait go first. Another gateway may have the answer. Raises ``Problem``."""
        ticket = ticket_of(request)
        refusal = _BEHIND_OTHERS
        if entry.may_try:
            try:
                wish = _wish(session_request, principal, request)
                placed = None if here else await self._cluster.place(wish)
                created = placed or await self._create_here(session_request, principal, request)
            except Unavailable as error:
                refusal = error
            else:
                if ticket:
                    self._entrance.leave(ticket)
                return created
        is_final = waits and not (entry.may_move and refusal.is_of_process)
        if is_final and refusal.code in _PASSING:
            waiting = await self._entrance.wait(ticket, request.client_host)
            if waiting is not None:
                return waiting
        raise service_unavailable(refusal)

    async def _create_here(
        self, session_request: SessionRequest, principal: Principal, request: Request
    ) -> CreatedSession:
        base_url = self._cors.websocket_base_url(request)
        return await self._create(session_request, principal, request.client_host, base_url)

    async def _create(
        self, session_request: SessionRequest, principal: Principal, client_host: str, base_url: str
    ) -> CreatedSession:
        try:
            return await self._sessions.create(session_request, principal, client_host, base_url)
        except Rejected as error:
            raise Problem(400, error.code, f"Correct the request: {error}.") from None
        except UnknownCampaign:
            raise Problem(404, "UNKNOWN_CAMPAIGN", "Use a campaignId that the gateway's configuration has.") from None
        except TooManySessions as error:
            logged = f"see server.max_sessions_per_client and max_sessions_per_minute; {_ABOUT_PROXIES}"
            raise Problem(429, "TOO_MANY_SESSIONS", f"{error}.", (("retry-after", "10"),), logged=logged) from None


def _wish(wanted: SessionRequest, principal: Principal, request: Request) -> SessionWish:
    return SessionWish(
        request.body,
        wanted.campaign_id,
        principal,
        request.client_host,
        wanted.traceparent,
        log_fields().request,
        wanted.dynamic_variables,
        wanted.metadata,
    )


def _as_route(response: Response) -> RouteResponse:
    """So that another gateway can pass it on."""
    headers = dict(response.headers)
    media_type = headers.pop("content-type")
    return RouteResponse(response.status, response.body, media_type, tuple(headers.items()), response.code)


def _answer(created: CreatedSession | RouteResponse) -> Response:
    """Another node's is passed on."""
    return _passed_on(created) if isinstance(created, RouteResponse) else json_response(200, _created_document(created))


def _passed_on(response: RouteResponse) -> Response:
    assert isinstance(response.body, bytes)
    headers = (("content-type", response.media_type), *response.headers)
    code = response.code or (_code_in(response.body) if response.status >= HTTPStatus.BAD_REQUEST else "")
    return Response(response.status, headers, response.body, code)


class _Coded(msgspec.Struct):
    code: str = ""


def _code_in(body: bytes) -> str:
    """Of a problem document; empty for what another node answers that is none."""
    try:
        code = msgspec.json.decode(body, type=_Coded).code
    except msgspec.MsgspecError:
        return ""
    return code if code.isidentifier() else ""


def _log(created: CreatedSession, campaign_id: str, principal: Principal) -> None:
    with logged_as(log_fields()._replace(session=created.session_id, campaign=campaign_id)):
        logger.info("session %s of campaign %r for %s", created.session_id, campaign_id, principal.name)


def _come_again(waiting: Waiting) -> Response:
    document = {"ticket": waiting.ticket, "place": waiting.place, "retryAfterSeconds": ASK_AGAIN}
    response = json_response(202, document)
    return replace(response, headers=(*response.headers, ("retry-after", str(ASK_AGAIN))))


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.", (("accept", "application/json"),))


def _created_document(created: CreatedSession) -> dict[str, Any]:
    expires_at = datetime.fromtimestamp(created.expires_at, UTC).isoformat(timespec="seconds")
    audio = {"audioConfig": created.audio_config} if created.audio_config is not None else {}
    return {
        "sessionId": created.session_id,
        "websocketUrl": created.websocket_url,
        "expiresAt": expires_at.replace("+00:00", "Z"),
        "iceServers": [ice_server_document(server) for server in created.ice_servers],
        **audio,
    }
