"""The routes of plugins: who may use them, and for how long one may take."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial

import trio

from glottis.contracts.info import Principal
from glottis.contracts.routes import RouteRequest, RouteResponse
from glottis.plugins.routes import MountedRoute
from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.doors import Doors
from glottis.server.api.placement import Placement
from glottis.server.api.traces import session_not_found
from glottis.server.http.message import Request, Response
from glottis.server.http.problem import Problem

logger = logging.getLogger(__name__)


class PluginRoutes:
    """Sets of routes by their folders, ``/api/plugins/NAME`` as a rule. Of two for a path, the first one serves."""

    def __init__(
        self,
        routes: Mapping[str, Sequence[MountedRoute]],
        sessions: Placement,
        authentication: Authentication,
        cors: CorsPolicy,
        doors: Doors,
    ) -> None:
        self._routes = routes
        self._sessions = sessions
        self._authentication = authentication
        self._cors = cors
        self._doors = doors

    def handlers(self, path: str) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """By method; none for a path that no plugin serves."""
        handlers: dict[str, Callable[[Request], Awaitable[Response]]] = {}
        for folder, routes in self._routes.items():
            if not path.startswith(f"{folder}/"):
                continue
            segments = path.removeprefix(f"{folder}/").split("/")
            for route in routes:
                if (parameters := route.parameters_in(segments)) is not None:
                    handlers.setdefault(route.method, partial(self._answer, folder, route, parameters))
        return handlers

    async def _answer(
        self, folder: str, route: MountedRoute, parameters: Mapping[str, str], request: Request
    ) -> Response:
        """What the plugin answers to whoever may ask; raises ``Problem`` 401, 403, 404, 429 or 503."""
        self._cors.check(request)
        principal = await self._principal_of(request, route, parameters)
        asked = RouteRequest(
            request.method,
            request.path.removeprefix(folder),
            parameters,
            request.query,
            request.headers,
            request.body,
            request.client_host,
            principal,
            self._doors.of(request),
        )
        with trio.move_on_after(route.timeout):
            return _response(await route.answer(asked))
        logger.error("%s: %s took longer than %g s", route.plugin, route, route.timeout)
        raise Problem(503, "TIMEOUT", "The gateway took too long; try again.", (("retry-after", "5"),))

    async def _principal_of(
        self, request: Request, route: MountedRoute, parameters: Mapping[str, str]
    ) -> Principal | None:
        if route.access == "public":
            await self._authentication.limit(request)
            return None
        if route.access == "operator":
            return await self._authentication.operator_of(request)
        principal = await self._authentication.principal_of(request)
        if route.access == "session" and not self._sessions.is_session_of(parameters["session_id"], principal):
            raise session_not_found()
        return principal


def _response(response: RouteResponse) -> Response:
    headers = [("content-type", response.media_type), *response.headers]
    if not any(name == "cache-control" for name, _ in headers):
        headers.append(("cache-control", "no-store"))
    if isinstance(response.body, bytes):
        return Response(response.status, tuple(headers), response.body)
    assert isinstance(response.body, AsyncGenerator), "it is behind the guard"
    return Response(response.status, tuple(headers), pieces=response.body)
