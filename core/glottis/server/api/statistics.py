"""``GET /api/sessions/{id}/stats``: what was counted of a session, for whoever has created it, and for operators."""

from typing import Final

from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.placement import Placement
from glottis.server.api.traces import session_in, session_not_found
from glottis.server.http.message import Request, Response, json_response

SUFFIX: Final = "/stats"


class StatisticsRoute:
    """The objects of W3C webrtc-stats by their ids, as the event ``statistics`` has them: of now, or of the end."""

    def __init__(self, sessions: Placement, authentication: Authentication, cors: CorsPolicy) -> None:
        self._sessions = sessions
        self._authentication = authentication
        self._cors = cors

    @staticmethod
    def serves(path: str) -> bool:
        """Whether it is the path of the statistics of a session."""
        return session_in(path, SUFFIX) != ""

    async def get(self, request: Request) -> Response:
        """Others are told what everybody is told of a session that never was."""
        self._cors.check(request)
        principal = await self._authentication.principal_of(request)
        whose = None if self._authentication.is_operator(principal) else principal
        statistics = self._sessions.statistics(session_in(request.path, SUFFIX), whose)
        if statistics is None:
            raise session_not_found()
        return json_response(200, statistics.to_json())
