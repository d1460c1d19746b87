"""Creating a session: who asks, may they, and what they get (CONTRACT §1)."""

import logging
from datetime import UTC, datetime
from typing import Any, Final

from glottis.contracts.info import Principal
from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.placement import Placement, service_unavailable
from glottis.server.http.message import Request, Response, json_response
from glottis.server.http.problem import Problem
from glottis.server.http.turns import Turns
from glottis.server.sessions.admission import (
    CreatedSession,
    TooManySessions,
    Unavailable,
    UnknownCampaign,
)
from glottis.server.sessions.ice_servers import ice_server_document
from glottis.signaling.errors import Rejected
from glottis.signaling.session_request import SessionRequest, parse_session_request_untrusted

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
    ) -> None:
        self._sessions = sessions
        self._authentication = authentication
        self._cors = cors
        self._turns = turns

    async def post(self, request: Request) -> Response:
        """Create a session, and say where it waits for its client."""
        self._cors.check(request)
        self._authentication.limit(request)
        session_request = await self._read(request)
        if isinstance(session_request, Problem):  # which only those are told whom the scheme knows
            await self._authentication.caller_of(request, None)
            raise session_request
        principal = await self._authentication.caller_of(request, session_request.campaign_id)
        created = await self._create(session_request, principal, request)
        logger.info("session %s of campaign %r for %s", created.session_id, session_request.campaign_id, principal.name)
        return json_response(200, _created_document(created))

    async def _read(self, request: Request) -> SessionRequest | Problem:
        """What is wanted, or why nobody can tell."""
        try:
            _check_media_type(request)
            async with self._turns:
                return parse_session_request_untrusted(request.body)
        except Rejected as error:
            return Problem(400, error.code, f"Correct the request: {error}.")
        except Problem as problem:
            return problem

    async def _create(self, session_request: SessionRequest, principal: Principal, request: Request) -> CreatedSession:
        base_url = self._cors.websocket_base_url(request)
        try:
            return await self._sessions.create(session_request, principal, request.client_host, base_url)
        except Rejected as error:
            raise Problem(400, error.code, f"Correct the request: {error}.") from None
        except UnknownCampaign:
            raise Problem(404, "UNKNOWN_CAMPAIGN", "Use a campaignId that the gateway's configuration has.") from None
        except TooManySessions as error:
            logged = f"see server.max_sessions_per_client and max_sessions_per_minute; {_ABOUT_PROXIES}"
            raise Problem(429, "TOO_MANY_SESSIONS", f"{error}.", (("retry-after", "10"),), logged=logged) from None
        except Unavailable as error:
            raise service_unavailable(error) from None


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
