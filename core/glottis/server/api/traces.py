"""``GET /api/sessions/{id}/trace``: why a session fares as it does, for whoever has created it, and for operators."""

from typing import Final

from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.placement import Placement
from glottis.server.http.message import Request, Response, text_response
from glottis.server.http.problem import Problem

PREFIX: Final = "/api/sessions/"
SUFFIX: Final = "/trace"
SESSION_NOT_FOUND: Final = "SESSION_NOT_FOUND"


class TraceRoute:
    """Text for people, the verdict in its first line."""

    def __init__(self, sessions: Placement, authentication: Authentication, cors: CorsPolicy) -> None:
        self._sessions = sessions
        self._authentication = authentication
        self._cors = cors

    @staticmethod
    def serves(path: str) -> bool:
        """Whether it is the path of a trace."""
        return session_in(path, SUFFIX) != ""

    async def get(self, request: Request) -> Response:
        """Others are told what everybody is told of a session that never was."""
        self._cors.check(request)
        principal = await self._authentication.principal_of(request)
        whose = None if self._authentication.is_operator(principal) else principal
        text = await self._sessions.explain(session_in(request.path, SUFFIX), whose)
        if text is None:
            raise session_not_found()
        return text_response(200, text)


def session_in(path: str, suffix: str) -> str:
    """The id in ``/api/sessions/{id}`` and this suffix; empty if the path is another."""
    return path[len(PREFIX) : -len(suffix)] if path.startswith(PREFIX) and path.endswith(suffix) else ""


def session_not_found() -> Problem:
    """Never was, ended long ago, or is somebody else's."""
    return Problem(404, SESSION_NOT_FOUND, "Ask for a session of yours that has not ended long ago.")
