"""What probes ask: whether the process serves, and whether it takes calls."""

from glottis.server.api.placement import Placement, service_unavailable
from glottis.server.http.message import Request, Response, text_response


class Health:
    """``/healthz`` and ``/readyz``."""

    def __init__(self, sessions: Placement) -> None:
        self._sessions = sessions

    async def healthz(self, request: Request) -> Response:
        """The process serves, or nobody would answer."""
        return text_response(200, "ok")

    async def readyz(self, request: Request) -> Response:
        """Sessions can be created; raises ``Problem`` 503 if not."""
        unavailability = self._sessions.unavailability()
        if unavailability is not None:
            raise service_unavailable(unavailability)
        return text_response(200, "ready")
