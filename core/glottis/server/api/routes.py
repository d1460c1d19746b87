"""The HTTP interface: which request goes to which route (CONTRACT §1–2)."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from glottis.config.origins import parse_public_url
from glottis.contracts.auth import AuthScheme
from glottis.contracts.errors import Malformed
from glottis.contracts.pages import Page
from glottis.plugins import Plugin
from glottis.plugins.routes import Mounted
from glottis.server.api import campaigns as campaigns_route
from glottis.server.api import plugins as plugins_route
from glottis.server.api.authentication import Authentication
from glottis.server.api.campaigns import CampaignsRoute
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.doors import Doors
from glottis.server.api.health import Health
from glottis.server.api.initiate import Initiate
from glottis.server.api.origins import Origins
from glottis.server.api.pages import StaticPages
from glottis.server.api.placement import Placement
from glottis.server.api.plugin_routes import PluginRoutes
from glottis.server.api.shown_paths import ShownPaths
from glottis.server.api.statistics import StatisticsRoute
from glottis.server.api.traces import SESSION_NOT_FOUND, TraceRoute
from glottis.server.clustering import ClusterDesk
from glottis.server.http.message import Request, Response
from glottis.server.http.problem import Problem
from glottis.server.http.rate_limit import Limiter
from glottis.server.http.refusals import Refusals
from glottis.server.http.turns import Turns
from glottis.server.http.websocket import Talk
from glottis.server.sessions.entrance import Entrance, OwnEntrance
from glottis.server.sessions.waiting_room import WaitingRoom
from glottis.server.sessions.whole import Alone
from glottis.signaling.session_request import INITIATE_PATH
from glottis.signaling.session_url import parse_session_url_untrusted, with_token_in_query

_SESSION_PATHS: Final = "/ws/session/"

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """Answers HTTP requests; its ``handle_request``, ``accept_websocket`` and ``normalize`` are ``HttpServer``'s.

    ``public_url`` (``https://voice.example``) replaces the scheme and host that a request came to, but not for the
    gateway's own pages that came from there. Raises ``ValueError`` if it is none. ``plugin_routes`` are by their
    folders, and have a limit of their own; ``operators`` are names of principals, ``campaigns`` what there is to
    call, ``entrance`` is the way to a session, ``cluster`` who has others; ``refusals`` counts those of WebSockets.
    """

    def __init__(
        self,
        sessions: Placement,
        auth_scheme: AuthScheme,
        *,
        origins: Origins,
        rate_limiter: Limiter,
        public_url: str = "",
        pages: Mapping[str, Page] | None = None,
        plugins: Sequence[Plugin] = (),
        turns: Turns | None = None,
        plugin_routes: Mapping[str, Sequence[Mounted]] | None = None,
        plugin_rate_limiter: Limiter | None = None,
        operators: Collection[str] = (),
        campaigns: Sequence[str] = (),
        entrance: Entrance | None = None,
        figures_elsewhere: plugins_route.Elsewhere = plugins_route.nowhere_else,
        refusals: Refusals | None = None,
        cluster: ClusterDesk | None = None,
    ) -> None:
        self._cors = CorsPolicy(origins, parse_public_url(public_url) if public_url else None)
        self._pages = StaticPages(pages or {})
        authentication = Authentication(auth_scheme, rate_limiter, operators)
        of_plugins = Authentication(auth_scheme, plugin_rate_limiter or rate_limiter, operators)
        self._cluster = cluster or ClusterDesk({}, ())
        self.initiate = Initiate(
            sessions,
            authentication,
            cors=self._cors,
            turns=turns or Turns(),
            entrance=entrance or OwnEntrance(WaitingRoom(0, Alone().new_session_id), rate_limiter, sessions.room),
            cluster=self._cluster,
        )
        self._traces = TraceRoute(sessions, authentication, self._cors)
        self._statistics = StatisticsRoute(sessions, of_plugins, self._cors)
        doors = Doors(sessions, self.initiate, of_plugins, self._cluster)
        counted = Refusals() if refusals is None else refusals
        self._plugin_routes = PluginRoutes(plugin_routes or {}, sessions, of_plugins, self._cors, doors, counted)
        plugins_of = plugins_route.PluginsRoute(plugins, of_plugins, self._cors, figures_elsewhere)
        self._routes: dict[str, dict[str, Handler]] = {
            INITIATE_PATH: {"POST": self.initiate.post},
            "/healthz": {"GET": Health(sessions).healthz},
            "/readyz": {"GET": Health(sessions).readyz},
            campaigns_route.PATH: {"GET": CampaignsRoute(campaigns, of_plugins, self._cors).get},
            plugins_route.PATH: {"GET": plugins_of.get},
        }
        self._shown_paths = ShownPaths(
            plugin_routes or {}, (*self._routes, *(pages or {}), _SESSION_PATHS, *campaigns), self._is_served
        )

    def normalize(self, request: Request) -> Request:
        """The same request, marked if it is for a call; a session's token is in its query, and not in its path."""
        path, query = with_token_in_query(request.path, request.query)
        initiates = path == INITIATE_PATH and request.method == "POST"
        return replace(
            request,
            path=path,
            query=query,
            is_for_call=initiates or self._plugin_routes.makes_call(request),
            path_without_secrets=self._shown_paths.of(path),
        )

    async def handle_request(self, request: Request) -> Response:
        """Any request that is not to become a WebSocket."""
        try:
            response = await self._dispatch(request)
        except Problem as problem:
            response = problem.response()
            if problem.code == SESSION_NOT_FOUND:
                response = await self._cluster.redirection(request) or response
        return self._cors.mark(request, response)

    async def accept_websocket(self, request: Request) -> Response | Talk | None:
        """Refuse WebSockets of pages of another origin, and those that are nobody's, before the handshake."""
        try:
            self._cors.check(request)
            if talk := await self._plugin_routes.accept(request):
                return talk
            parse_session_url_untrusted(request.path, request.query)
        except Problem as problem:
            return problem.response()
        except Malformed:
            return self._no_websocket(request.path).response()
        return None

    async def _dispatch(self, request: Request) -> Response:
        handlers = self._handlers(request.path)
        methods = ", ".join([*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"])
        if request.method == "OPTIONS":
            return self._cors.preflight(request, methods).with_headers(*self._plugin_routes.accepted(request.path))
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise Problem(405, "METHOD_NOT_ALLOWED", f"Use one of {methods}.", (("allow", methods),))
        return await handler(request)

    def _is_served(self, path: str) -> bool:
        try:
            return bool(self._handlers(path))
        except Problem:
            return False

    def _handlers(self, path: str) -> dict[str, Handler]:
        if path in self._routes:
            return self._routes[path]
        if path in self._pages:
            return {"GET": self._pages.get}
        if self._traces.serves(path):
            return {"GET": self._traces.get}
        if self._statistics.serves(path):
            return {"GET": self._statistics.get}
        if handlers := self._plugin_routes.handlers(path):
            return handlers
        if path.startswith(_SESSION_PATHS) or self._plugin_routes.has_socket(path):
            return {"GET": _upgrade_required}
        raise self._not_found(path)

    def _not_found(self, path: str) -> Problem:
        """Says so where one slash is too many, which happens to who copies an URL."""
        without_slash = path.rstrip("/")
        if without_slash not in ("", path) and self._is_served(without_slash):
            return _problem_404("Leave out the slash at the end of the path.")
        return _problem_404("Use a path that the gateway serves.")

    def _no_websocket(self, path: str) -> Problem:
        """Of clients whose protocol comes by WebSockets elsewhere."""
        if path.startswith(_SESSION_PATHS) or not self._is_served(path):
            return self._not_found(path)
        return _problem_404(f"Use {' or '.join(self._handlers(path))}; no WebSocket is taken at this path.")


async def _upgrade_required(request: Request) -> Response:
    upgrade = (("upgrade", "websocket"), ("connection", "upgrade"))
    detail = "Connect to this URL with a WebSocket."
    hint = "it came without the header 'Upgrade: websocket', which a proxy must pass on"
    raise Problem(426, "UPGRADE_REQUIRED", detail, upgrade, logged=hint)


def _problem_404(detail: str) -> Problem:
    return Problem(404, "NOT_FOUND", detail)
