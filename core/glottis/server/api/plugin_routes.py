"""The routes of plugins: who may use them, and for how long one may take."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import trio
from msgspec.structs import replace

from glottis.contracts.doors import Door, DoorRefused
from glottis.contracts.errors import PluginError
from glottis.contracts.info import Principal
from glottis.contracts.routes import RouteRequest, RouteResponse
from glottis.plugins.blame import culprit
from glottis.plugins.failures import log_failure
from glottis.plugins.routes import Mounted, MountedRoute, MountedSocket
from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.doors import Doors
from glottis.server.api.placement import Placement
from glottis.server.api.traces import session_not_found
from glottis.server.http.message import PASSING, Request, Response
from glottis.server.http.problem import Problem
from glottis.server.http.refusals import RefusalLog, Refusals
from glottis.server.http.websocket import Talk, WebSocket
from glottis.signaling.close_codes import INTERNAL_ERROR, POLICY_VIOLATION, TRY_AGAIN_LATER

AFTER_CLOSE: Final = 10.0
"""Seconds for a handler to end after its WebSocket."""

logger = logging.getLogger(__name__)


class PluginRoutes:
    """Sets of routes by their folders, ``/api/plugins/NAME`` as a rule. Of two for a path, the first one serves."""

    def __init__(
        self,
        routes: Mapping[str, Sequence[Mounted]],
        sessions: Placement,
        authentication: Authentication,
        cors: CorsPolicy,
        doors: Doors,
        refusals: Refusals,
    ) -> None:
        self._routes = routes
        self._sessions = sessions
        self._authentication = authentication
        self._cors = cors
        self._doors = doors
        self._refused = RefusalLog(refusals)

    def handlers(self, path: str) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """By method; none for a path that no plugin serves."""
        handlers: dict[str, Callable[[Request], Awaitable[Response]]] = {}
        for folder, route, parameters in self._routes_at(path):
            if isinstance(route, MountedRoute):
                handlers.setdefault(route.method, partial(self._answer, folder, route, parameters))
        return handlers

    def accepted(self, path: str) -> list[tuple[str, str]]:
        """Header fields that tell what can be sent there."""
        routes = [route for _, route, _ in self._routes_at(path) if isinstance(route, MountedRoute)]
        return [(f"accept-{one.method.lower()}", one.route.accepts) for one in routes if one.route.accepts]

    def has_socket(self, path: str) -> bool:
        """Whether a plugin takes WebSockets there."""
        return any(isinstance(route, MountedSocket) for _, route, _ in self._routes_at(path))

    async def accept(self, request: Request) -> Talk | None:
        """Who talks by a WebSocket at this path, None where nobody does. Raises ``Problem`` 401, 403, 404 or 429."""
        for folder, route, parameters in self._routes_at(request.path):
            if isinstance(route, MountedSocket):
                principal = await self._principal_of(request, route, parameters)
                return partial(self._talk, folder, route, parameters, principal, request)
        return None

    def _routes_at(self, path: str) -> Iterator[tuple[str, Mounted, Mapping[str, str]]]:
        """Folder, route and parameters of each that is for this path."""
        for folder, routes in self._routes.items():
            if not path.startswith(f"{folder}/"):
                continue
            segments = path.removeprefix(f"{folder}/").split("/")
            for route in routes:
                if (parameters := route.parameters_in(segments)) is not None:
                    yield folder, route, parameters

    async def _talk(
        self,
        folder: str,
        route: MountedSocket,
        parameters: Mapping[str, str],
        principal: Principal | None,
        request: Request,
        websocket: WebSocket,
    ) -> None:
        """One of a public route is somebody's from its first call on."""
        if principal is not None:
            websocket.taken()

        def called() -> None:
            websocket.taken()
            websocket.expect_audio()

        with self._doors.held(request, called) as door:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_give_up, route, websocket, nursery.cancel_scope)
                try:
                    await route.talk(_told(folder, parameters, principal, request, door), websocket)
                except PluginError as error:
                    log_failure(logger, error, "%s failed in %s", request, culprit(error))
                    await websocket.close(INTERNAL_ERROR, "internal error")
                except DoorRefused as refused:
                    self._note(request, refused)
                    code = TRY_AGAIN_LATER if refused.status in PASSING else POLICY_VIOLATION
                    await websocket.close(code, f"{refused.code}: {refused.detail}")
                nursery.cancel_scope.cancel()

    def makes_call(self, request: Request) -> bool:
        """Whether the route that serves it makes calls."""
        for _, route, _ in self._routes_at(request.path):
            if isinstance(route, MountedRoute) and route.method == request.method:
                return route.route.makes_calls
        return False

    async def _answer(
        self, folder: str, route: MountedRoute, parameters: Mapping[str, str], request: Request
    ) -> Response:
        """What the plugin answers to whoever may ask; raises ``Problem`` 401, 403, 404, 429 or 503."""
        self._cors.check(request)
        principal = await self._principal_of(request, route, parameters)
        door = self._doors.of(request)
        asked = _told(folder, parameters, principal, request, door)
        with trio.move_on_after(route.timeout):
            response = _response(await route.answer(asked))
            return replace(response, is_of_process=door.outcome.is_of_process)
        logger.error("%s: %s took longer than %g s", route.plugin, route, route.timeout)
        raise Problem(503, "TIMEOUT", "The gateway took too long; try again.", (("retry-after", "5"),))

    def _note(self, request: Request, refused: DoorRefused) -> None:
        """What a WebSocket's client is refused, which is no HTTP any more."""
        response = Response(refused.status, code=refused.code, logged=refused.detail)
        self._refused.note(request, response, request.client_host, trio.current_time())

    async def _principal_of(self, request: Request, route: Mounted, parameters: Mapping[str, str]) -> Principal | None:
        if route.access == "public":
            await self._authentication.limit(request)
            return None
        if route.access == "operator":
            return await self._authentication.operator_of(request)
        principal = await self._authentication.principal_of(request)
        if route.access == "session" and not self._sessions.is_session_of(parameters["session_id"], principal):
            raise session_not_found()
        return principal


async def _give_up(route: MountedSocket, websocket: WebSocket, scope: trio.CancelScope) -> None:
    """Cancel a handler that does not mind that its client has gone: it would keep its place for ever."""
    await websocket.ended.wait()
    await trio.sleep(AFTER_CLOSE)
    logger.error("%s: %s goes on without a client: it is cancelled", route.plugin, route)
    scope.cancel()


def _told(
    folder: str, parameters: Mapping[str, str], principal: Principal | None, request: Request, door: Door
) -> RouteRequest:
    return RouteRequest(
        request.method,
        request.path.removeprefix(folder),
        parameters,
        request.query,
        request.headers,
        request.body,
        request.client_host,
        principal,
        door,
    )


def _response(response: RouteResponse) -> Response:
    headers = [("content-type", response.media_type), *response.headers]
    if not any(name == "cache-control" for name, _ in headers):
        headers.append(("cache-control", "no-store"))
    if isinstance(response.body, bytes):
        return Response(response.status, tuple(headers), response.body, response.code, is_worded=True)
    assert isinstance(response.body, AsyncGenerator), "it is behind the guard"
    return Response(response.status, tuple(headers), code=response.code, pieces=response.body, is_worded=True)
