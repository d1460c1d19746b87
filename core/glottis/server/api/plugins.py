"""``GET /api/plugins``: what each plugin was asked for since the start, for operators."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from glottis.plugins import Plugin
from glottis.plugins.report import figures, figures_of_all, table_of_figures
from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.http.message import Request, Response, json_response, text_response

PATH: Final = "/api/plugins"
Rows = Sequence[Mapping[str, Any]]
Elsewhere = Callable[[], Awaitable[Sequence[Rows]]]


async def nowhere_else() -> Sequence[Rows]:
    """Where one process is the gateway."""
    return ()


class PluginsRoute:
    """JSON for who accepts it, else a table for people. ``elsewhere`` has what other processes have counted."""

    def __init__(
        self, plugins: Sequence[Plugin], authentication: Authentication, cors: CorsPolicy, elsewhere: Elsewhere
    ) -> None:
        self._plugins = plugins
        self._elsewhere = elsewhere
        self._authentication = authentication
        self._cors = cors

    async def get(self, request: Request) -> Response:
        """Calls, errors and times, with their quantiles."""
        self._cors.check(request)
        await self._authentication.operator_of(request)
        rows = figures_of_all([figures(self._plugins), *await self._elsewhere()])
        if "application/json" in request.headers.get("accept", ""):
            return json_response(200, {"plugins": rows})
        return text_response(200, table_of_figures(rows).rstrip("\n"))
