"""The HTTP interface: creating sessions (CONTRACT §1), health, and static pages."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import trio

from glottis.config.origins import parse_public_url
from glottis.contracts.auth import AuthRequest, AuthScheme
from glottis.contracts.errors import AuthenticationFailed, Forbidden, GlottisError, Malformed
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import Principal
from glottis.contracts.pages import Page
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.origins import Origins
from glottis.server.api.pages import StaticPages
from glottis.server.http.message import Request, Response, json_response, text_response
from glottis.server.http.problem import Problem
from glottis.server.http.rate_limit import RateLimiter
from glottis.server.sessions.admission import CreatedSession, Unavailable, UnknownCampaign, UnsupportedTransport
from glottis.signaling.errors import Rejected
from glottis.signaling.session_request import INITIATE_PATH, SessionRequest, parse_session_request_untrusted
from glottis.signaling.session_url import parse_session_url_untrusted

_SESSION_PATHS: Final = "/ws/session/"
_RETRY_AFTER: Final = {"FULL": "10", "DRAINING": "5"}
"""Seconds: calls last minutes; a restarted gateway is there within seconds."""

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


class Placement(Protocol):
    """Where sessions are created: the gateway's ``Sessions``, as far as the routes need them."""

    async def create(
        self, request: SessionRequest, principal: Principal, client_host: str, base_url: str
    ) -> CreatedSession:
        """Create a session whose WebSocket URL is under ``base_url`` (``ws://host`` or ``wss://host``).

        Raises ``Unavailable``, ``UnknownCampaign`` or ``UnsupportedTransport``.
        """

    @property
    def transports(self) -> Sequence[str]:
        """The transports that are served, by the names that requests give them."""

    def unavailability(self) -> Unavailable | None:
        """Why no session can be created at the moment; None if one can."""


class Api:
    """Answers HTTP requests; its ``handle_request`` and ``accept_websocket`` are ``HttpServer``'s.

    ``public_url`` (``https://voice.example``) replaces the scheme and host that a request came to, but not for the
    gateway's own pages that came from there. Raises ``ValueError`` if it is none.
    """

    def __init__(
        self,
        sessions: Placement,
        auth_scheme: AuthScheme,
        *,
        origins: Origins,
        rate_limiter: RateLimiter,
        public_url: str = "",
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self._sessions = sessions
        self._auth_scheme = auth_scheme
        self._cors = CorsPolicy(origins, parse_public_url(public_url) if public_url else None)
        self._rate_limiter = rate_limiter
        self._pages = StaticPages(pages or {})
        self._routes: dict[str, dict[str, Handler]] = {
            INITIATE_PATH: {"POST": self._initiate},
            "/healthz": {"GET": self._healthz},
            "/readyz": {"GET": self._readyz},
        }

    async def handle_request(self, request: Request) -> Response:
        """Any request that is not to become a WebSocket."""
        try:
            response = await self._dispatch(request)
        except Problem as problem:
            response = problem.response()
        return self._cors.mark(request, response)

    def accept_websocket(self, request: Request) -> Response | None:
        """Refuse WebSockets of pages of another origin, and those that are no session's, before the handshake."""
        try:
            self._cors.check(request)
            parse_session_url_untrusted(request.path, request.query)
        except Problem as problem:
            return problem.response()
        except Malformed:
            return _not_found().response()
        return None

    async def _dispatch(self, request: Request) -> Response:
        handlers = self._handlers(request.path)
        methods = ", ".join([*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"])
        if request.method == "OPTIONS":
            return self._cors.preflight(request, methods)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise Problem(405, "METHOD_NOT_ALLOWED", f"Use one of {methods}.", (("allow", methods),))
        return await handler(request)

    def _handlers(self, path: str) -> dict[str, Handler]:
        if path in self._routes:
            return self._routes[path]
        if path in self._pages:
            return {"GET": self._page}
        if path.startswith(_SESSION_PATHS):
            return {"GET": self._upgrade_required}
        raise _not_found()

    async def _initiate(self, request: Request) -> Response:
        self._cors.check(request)
        self._limit_rate(request)
        principal = await self._authenticate(request)
        _check_media_type(request)
        try:
            session_request = parse_session_request_untrusted(request.body, self._sessions.transports)
        except Rejected as error:
            raise Problem(400, error.code, f"Correct the request: {error}.") from None
        created = await self._create(session_request, principal, request)
        logger.info("session %s of campaign %r for %s", created.session_id, session_request.campaign_id, principal.name)
        return json_response(200, _created_document(created))

    def _limit_rate(self, request: Request) -> None:
        seconds = self._rate_limiter.take(request.client_host, trio.current_time())
        if seconds:
            retry_after = (("retry-after", str(math.ceil(seconds))),)
            raise Problem(429, "RATE_LIMITED", f"Wait {math.ceil(seconds)} seconds, then try again.", retry_after)

    async def _authenticate(self, request: Request) -> Principal:
        auth_request = AuthRequest(request.method, request.path, request.headers, request.client_host)
        try:
            principal = await self._auth_scheme.authenticate(auth_request)
        except Forbidden as error:
            detail = _sentence(error) or "Use credentials that may create sessions."
            raise Problem(403, "FORBIDDEN", detail) from None
        except AuthenticationFailed as error:
            raise _unauthenticated(_sentence(error)) from None
        if principal is None:
            raise _unauthenticated()
        return principal

    async def _create(self, session_request: SessionRequest, principal: Principal, request: Request) -> CreatedSession:
        base_url = self._cors.websocket_base_url(request)
        try:
            return await self._sessions.create(session_request, principal, request.client_host, base_url)
        except UnsupportedTransport as error:
            detail = f"Use transportType {' or '.join(error.served)}, the gateway has no other."
            raise Problem(400, "UNSUPPORTED_TRANSPORT", detail) from None
        except UnknownCampaign:
            raise Problem(404, "UNKNOWN_CAMPAIGN", "Use a campaignId that the gateway's configuration has.") from None
        except Unavailable as error:
            raise _service_unavailable(error) from None

    async def _healthz(self, request: Request) -> Response:
        return text_response(200, "ok")

    async def _readyz(self, request: Request) -> Response:
        unavailability = self._sessions.unavailability()
        if unavailability is not None:
            raise _service_unavailable(unavailability)
        return text_response(200, "ready")

    async def _page(self, request: Request) -> Response:
        return self._pages.get(request)

    async def _upgrade_required(self, request: Request) -> Response:
        upgrade = (("upgrade", "websocket"), ("connection", "upgrade"))
        detail = "Connect to this URL with a WebSocket."
        hint = "it came without the header 'Upgrade: websocket', which a proxy must pass on"
        raise Problem(426, "UPGRADE_REQUIRED", detail, upgrade, logged=hint)


def _not_found() -> Problem:
    return Problem(404, "NOT_FOUND", "Use a path that the gateway serves.")


def _unauthenticated(detail: str = "") -> Problem:
    challenge = (("www-authenticate", 'Bearer realm="glottis"'),)
    return Problem(401, "UNAUTHENTICATED", detail or "Send credentials that the gateway knows.", challenge)


def _sentence(error: GlottisError) -> str:
    """What an auth scheme says, with a full stop; empty if it says nothing.

    It may quote a header, whose bytes need not be UTF-8, as JSON must.
    """
    text = str(error).rstrip(".").encode(errors="replace").decode()
    return text and f"{text}."


def _service_unavailable(error: Unavailable) -> Problem:
    return Problem(503, error.code, f"{error}.", (("retry-after", _RETRY_AFTER.get(error.code, "5")),))


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.", (("accept", "application/json"),))


def _created_document(created: CreatedSession) -> dict[str, Any]:
    expires_at = datetime.fromtimestamp(created.expires_at, UTC).isoformat(timespec="seconds")
    return {
        "sessionId": created.session_id,
        "websocketUrl": created.websocket_url,
        "expiresAt": expires_at.replace("+00:00", "Z"),
        "iceServers": [_ice_server_document(server) for server in created.ice_servers],
    }


def _ice_server_document(server: IceServer) -> dict[str, Any]:
    """As RTCConfiguration takes it (W3C webrtc, §4.2.2)."""
    optional = {"username": server.username, "credential": server.credential}
    return {"urls": list(server.urls), **{name: value for name, value in optional.items() if value is not None}}
