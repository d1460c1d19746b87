"""``GET /api/plugins``: what each plugin was asked for since the start, for operators."""

from collections.abc import Sequence
from typing import Final

from glottis.plugins import Plugin
from glottis.plugins.report import figures, table_of_figures
from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.http.message import Request, Response, json_response, text_response

PATH: Final = "/api/plugins"


class PluginsRoute:
    """JSON for who accepts it, else a table for people."""

    def __init__(self, plugins: Sequence[Plugin], authentication: Authentication, cors: CorsPolicy) -> None:
        self._plugins = plugins
        self._authentication = authentication
        self._cors = cors

    async def get(self, request: Request) -> Response:
        """Calls, errors and times, with their quantiles."""
        self._cors.check(request)
        await self._authentication.operator_of(request)
        if "application/json" in request.headers.get("accept", ""):
            return json_response(200, {"plugins": figures(self._plugins)})
        return text_response(200, table_of_figures(self._plugins).rstrip("\n"))
