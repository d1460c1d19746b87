"""Who may look, and what is answered: below ``/api/plugins/operators/``."""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Final

from glottis import Route, RouteRequest, RouteResponse
from glottis_metrics.scraping import is_right

from glottis_operators.desk import OperatorsDesk
from glottis_operators.record import CallRecord
from glottis_operators.settings import RouteConfig

REASON: Final = "an operator has ended the call"

logger = logging.getLogger(__name__)

Handler = Callable[[RouteRequest], Awaitable[RouteResponse]]


def routes(desk: OperatorsDesk, settings: RouteConfig) -> Sequence[Route]:
    """For who has the token or, without one, for operators."""
    desk.has_token = settings.token is not None
    answers = _Answers(desk)

    def guarded(handler: Handler) -> Handler:
        @wraps(handler)
        async def handle(request: RouteRequest) -> RouteResponse:
            if not is_right(settings.token, request.headers.get("authorization", "")):
                return RouteResponse.problem(401, "UNAUTHENTICATED", "Send the token of the operators' page.")
            return await handler(request)

        return handle

    access: Final = "operator" if settings.token is None else "public"
    return [
        Route("GET", "/overview", access, guarded(answers.overview)),
        Route("GET", "/calls/{session_id}", access, guarded(answers.call)),
        Route("GET", "/calls/{session_id}/stats", access, guarded(answers.statistics)),
        Route("GET", "/calls/{session_id}/trace", access, guarded(answers.trace)),
        Route("POST", "/calls/{session_id}/end", access, guarded(answers.end)),
    ]


class _Answers:
    """Those about one call go to the process that has it: the gateway sees to that by the id in the path."""

    def __init__(self, desk: OperatorsDesk) -> None:
        self._desk = desk

    async def overview(self, request: RouteRequest) -> RouteResponse:
        if self._desk.info is None:
            return RouteResponse.problem(503, "NOT_ENABLED", "Name operators in extensions.enabled.")
        return RouteResponse(body=await self._desk.overview(), media_type="application/json")

    async def call(self, request: RouteRequest) -> RouteResponse:
        record = self._record(request)
        if record is None:
            return _not_found()
        record.look()
        return RouteResponse.json(record.page(_since(request.query.get("since", ""))))

    async def statistics(self, request: RouteRequest) -> RouteResponse:
        record = self._record(request)
        return _not_found() if record is None else RouteResponse.json(record.statistics())

    async def trace(self, request: RouteRequest) -> RouteResponse:
        info = self._desk.info
        text = await info.sessions.explain(request.parameters["session_id"]) if info is not None else None
        return _not_found() if text is None else RouteResponse(body=text.encode())

    async def end(self, request: RouteRequest) -> RouteResponse:
        info, session_id = self._desk.info, request.parameters["session_id"]
        if info is None or not info.sessions.end(session_id, REASON):
            return _not_found()
        who = request.principal.name if request.principal is not None else "who has the token"
        logger.info("session %s was ended by an operator: %s, at %s", session_id, who, request.client_host)
        return RouteResponse(204)

    def _record(self, request: RouteRequest) -> CallRecord | None:
        return self._desk.book.find(request.parameters["session_id"])


def _since(text: str) -> float:
    """From its beginning, where the query says nothing of use."""
    try:
        age = float(text)
    except ValueError:
        return -math.inf
    return age if math.isfinite(age) else -math.inf


def _not_found() -> RouteResponse:
    return RouteResponse.problem(404, "SESSION_NOT_FOUND", "Ask for a call that has not ended long ago.")
