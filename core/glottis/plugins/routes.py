"""A plugin's routes behind a guard: checked when they are made, and each answer before it is sent."""

import http
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final, get_args

import msgspec
import trio

from glottis.contracts.checks import bytes_of, check_callable, check_instance
from glottis.contracts.doors import DoorRefused
from glottis.contracts.errors import PluginError, WebSocketClosed
from glottis.contracts.routes import (
    LONGEST_TIMEOUT,
    ROUTES_PREFIX,
    Access,
    Route,
    RouteRequest,
    RouteResponse,
    RouteSocket,
    RoutesSpec,
    SocketRoute,
)
from glottis.plugins.blame import first_of
from glottis.plugins.guard import guarded, guarded_async, uncounted
from glottis.plugins.manager import Plugin
from glottis.plugins.pages import MEDIA_TYPE

MAX_ROUTES: Final = 64
"""Of one set: each request is compared with all of them."""
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
WEBSOCKET: Final = "WEBSOCKET"
"""In place of a method."""
HIDDEN: Final = "{secret}"
"""The segment of a path for what logs do not show."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""Unreserved characters (RFC 3986 §2.3), which have one spelling only."""
_FOLDERS: Final = (".", "..")
_OWN: Final = ("ws", "healthz", "readyz")
_OWN_OF_API: Final = (["campaigns"], ["plugins"], ["sessions"], ["websession"])
_PARAMETER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NAME: Final = re.compile(r"[a-z0-9-]+")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_OF_THE_GATEWAY: Final = re.compile(
    r"connection|content-(length|type)|date|keep-alive|trailer|transfer-encoding|upgrade"
)


class Mounted(msgspec.Struct, frozen=True):
    """What a plugin has at a path, below the folder of its set."""

    method: str
    path: str
    access: Access
    plugin: Plugin
    segments: tuple[str, ...]
    """Of its path. One in braces stands for any."""

    @property
    def shape(self) -> tuple[str, tuple[str, ...]]:
        """Method and path, whatever its parameters are called."""
        return self.method, tuple(_PARAMETER.sub("{}", segment) for segment in self.segments)

    def parameters_in(self, segments: Sequence[str]) -> dict[str, str] | None:
        """What stands for its parameters in a path; None for a path of another route."""
        if len(segments) != len(self.segments):
            return None
        parameters = {}
        for own, given in zip(self.segments, segments, strict=True):
            if parameter := _PARAMETER.fullmatch(own):
                if not _SEGMENT.fullmatch(given) or given in _FOLDERS:
                    return None
                parameters[parameter[1]] = given
            elif own != given:
                return None
        return parameters

    @property
    def has_secret(self) -> bool:
        """Whether logs may not have what stands in its path."""
        return HIDDEN in self.segments

    def before_secret(self, segments: Sequence[str]) -> Sequence[str] | None:
        """Of a path the segments before the secret; None for one that cannot have this route's."""
        if not self.has_secret or len(segments) <= (at := self.segments.index(HIDDEN)):
            return None
        pairs = zip(self.segments[:at], segments[:at], strict=True)
        is_alike = all(own == given or _PARAMETER.fullmatch(own) for own, given in pairs)
        return segments[:at] if is_alike else None

    def __str__(self) -> str:
        return f"route {self.method} {self.path}"


class MountedSocket(Mounted, frozen=True):
    """One for WebSockets."""

    route: SocketRoute

    async def talk(self, request: RouteRequest, socket: RouteSocket) -> None:
        """Until the handler returns; raises ``DoorRefused``, and ``PluginError`` where it fails."""
        refused = await guarded_async(self.plugin, str(self), self._talk, request, socket)
        if refused is not None:
            raise refused

    async def _talk(self, request: RouteRequest, socket: RouteSocket) -> DoorRefused | None:
        refused = None
        try:
            await self.route.handle(request, socket)
        except* WebSocketClosed:
            pass  # whoever has closed it
        except* DoorRefused as errors:
            refused = _own_refusal(first_of(errors))
        return refused


class MountedRoute(Mounted, frozen=True):
    """One for requests."""

    timeout: float
    route: Route

    async def answer(self, request: RouteRequest) -> RouteResponse:
        """Raises ``PluginError`` where the handler fails, or returns what cannot be sent."""
        action = str(self)
        response: object = await guarded_async(self.plugin, action, self.route.handle, request)
        return uncounted(self.plugin, f"what {action} returned", self._own_response, response)

    def _own_response(self, response: object) -> RouteResponse:
        """A copy without code of the plugin's that is not behind a guard; raises ``ValueError``."""
        if not isinstance(response, RouteResponse) or not isinstance(response.body, AsyncIterator):
            return whole_response(response)
        return replace(whole_response(replace(response, body=b"")), body=self._pieces(response.body))

    async def _pieces(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Those of a long body. Raises ``PluginError``."""
        action = f"the body of {self}"
        try:
            while True:
                with trio.move_on_after(self.timeout) as patience:
                    piece: object = await guarded_async(self.plugin, action, anext, body, None)
                if patience.cancelled_caught:
                    raise PluginError(f"{self.plugin}: {action} took longer than {self.timeout:g} s")
                if piece is None:
                    break
                if data := uncounted(self.plugin, action, _bytes_of, piece):
                    yield data
        finally:
            if callable(close := getattr(body, "aclose", None)):
                with trio.move_on_after(self.timeout, shield=True):
                    await guarded_async(self.plugin, action, close)


def wording_of(plugin: Plugin, spec: RoutesSpec) -> Callable[[DoorRefused], RouteResponse] | None:
    """Its ``refuse``, which raises ``PluginError`` where it fails or returns what cannot be sent."""
    refuse, action = spec.refuse, f"refuse of {spec.name}"
    if refuse is None:
        return None

    def word(refused: DoorRefused) -> RouteResponse:
        response: object = guarded(plugin, action, refuse, refused)
        return uncounted(plugin, f"what {action} returned", whole_response, response)

    return word


def whole_response(response: object) -> RouteResponse:
    """A copy of one whose body is there; raises ``ValueError`` for what cannot be sent."""
    if not isinstance(response, RouteResponse):
        raise ValueError(f"expected a RouteResponse, got {type(response).__name__}")
    _check_response(response)
    headers = tuple(_own_header(header) for header in response.headers)
    body = _bytes_of(response.body)
    return RouteResponse(int(response.status), body, response.media_type, headers, str(response.code))


def _own_refusal(refused: BaseException) -> DoorRefused:
    """A copy without code of the plugin's; raises ``ValueError`` for what is none."""
    assert isinstance(refused, DoorRefused)
    check_instance("DoorRefused.status", refused.status, int)
    check_instance("DoorRefused.detail", refused.detail, str)
    _check_code("DoorRefused.code", refused.code)
    return DoorRefused(int(refused.status), str(refused.code), str(refused.detail))


def check_routes_name(name: str) -> None:
    """Raises ``ValueError`` for one that cannot be a folder."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"name: expected lower-case letters, digits and hyphens, for {ROUTES_PREFIX}NAME/")


def check_folder(folder: str) -> None:
    """Raises ``ValueError`` for one where a set of routes cannot be: what the gateway itself serves is its own."""
    check_instance("folder", folder, str)
    segments = folder.split("/")[1:]
    if folder and (not folder.startswith("/") or not all(map(_is_fixed, segments))):
        raise ValueError(f"folder: expected a path such as /v1/realtime, got {folder!r}")
    if segments and (segments[0] in _OWN or (segments[0] == "api" and segments[1:2] in ([], *_OWN_OF_API))):
        raise ValueError(f"folder: {folder} has paths of the gateway's own; choose a deeper or another one")


def folder_of(spec: RoutesSpec) -> str:
    """Below which its routes are, without a slash at the end."""
    return spec.folder or f"{ROUTES_PREFIX}{spec.name}"


def _is_fixed(segment: str) -> bool:
    return _SEGMENT.fullmatch(segment) is not None and segment not in _FOLDERS


def mounted(plugin: Plugin, name: str, routes: object) -> tuple[Mounted, ...]:
    """The routes of one set, which its ``create`` has returned; raises ``PluginError``."""
    what = f"what create of {name} returned"
    return uncounted(plugin, what, _mounted, plugin, routes, allowed=(PluginError,))


def _mounted(plugin: Plugin, routes: object) -> tuple[Mounted, ...]:
    if not isinstance(routes, Sequence):
        raise ValueError(f"expected a list of Route, got {type(routes).__name__}")
    if len(routes) > MAX_ROUTES:
        raise ValueError(f"expected at most {MAX_ROUTES} routes, got {len(routes)}")
    made: dict[tuple[str, tuple[str, ...]], Mounted] = {}
    for route in routes:
        one = _checked_socket(plugin, route) if isinstance(route, SocketRoute) else _checked(plugin, route)
        if one.shape in made:
            raise ValueError(f"{one.method} {one.path}: another route is for the same")
        made[one.shape] = one
    return tuple(made.values())


def _checked(plugin: Plugin, route: Route) -> MountedRoute:
    check_instance("route", route, Route)
    if route.method not in METHODS:
        raise ValueError(f"Route.method: expected one of {', '.join(METHODS)}, got {route.method!r}")
    segments = _place_of(route)
    check_instance("Route.timeout", route.timeout, int | float)
    check_instance("Route.makes_calls", route.makes_calls, bool)
    check_instance("Route.accepts", route.accepts, str)
    if route.accepts and not MEDIA_TYPE.fullmatch(route.accepts):
        raise ValueError(f"Route.accepts: expected a media type such as text/plain, got {route.accepts!r}")
    if not 0 < route.timeout <= LONGEST_TIMEOUT or math.isnan(route.timeout):
        raise ValueError(f"Route.timeout: expected at most {LONGEST_TIMEOUT:g} seconds, and more than none")
    return MountedRoute(route.method, route.path, route.access, plugin, segments, float(route.timeout), route)


def _checked_socket(plugin: Plugin, route: SocketRoute) -> MountedSocket:
    return MountedSocket(WEBSOCKET, route.path, route.access, plugin, _place_of(route), route)


def _place_of(route: Route | SocketRoute) -> tuple[str, ...]:
    """The segments of its path, and the rest checked that both kinds have."""
    if route.access not in get_args(Access):
        raise ValueError(f"Route.access: expected one of {', '.join(get_args(Access))}, got {route.access!r}")
    check_callable("Route.handle", route.handle)
    segments = _segments_of(route.path)
    if route.access == "session" and "{session_id}" not in segments:
        raise ValueError(f"Route.path: a route for session needs the segment {{session_id}}, got {route.path!r}")
    return segments


def _segments_of(path: object) -> tuple[str, ...]:
    check_instance("Route.path", path, str)
    first, *segments = str(path).split("/")
    parameters = [segment for segment in segments if _PARAMETER.fullmatch(segment)]
    fixed = [segment for segment in segments if segment not in parameters]
    if segments == [""] and not first:
        return ("",)
    if first or not segments or not all(map(_is_fixed, fixed)):
        expected = "/NAME/{parameter}, of letters, digits and characters of -._~"
        raise ValueError(f"Route.path: expected one such as {expected}, got {path!r}")
    if len(set(parameters)) < len(parameters):
        raise ValueError(f"Route.path: a parameter is there twice in {path!r}")
    return tuple(segments)


def _check_response(response: RouteResponse) -> None:
    check_instance("RouteResponse.status", response.status, int)
    if response.status < 200 or response.status not in set(http.HTTPStatus):
        raise ValueError(f"RouteResponse.status: expected a final status code of HTTP, got {response.status}")
    check_instance("RouteResponse.media_type", response.media_type, str)
    if not MEDIA_TYPE.fullmatch(response.media_type):
        raise ValueError(f"RouteResponse.media_type: expected one such as text/html, got {response.media_type!r}")
    if response.code:
        _check_code("RouteResponse.code", response.code)


def _check_code(name: str, code: object) -> None:
    check_instance(name, code, str)
    if not _CODE.fullmatch(str(code)):
        raise ValueError(f"{name}: expected a word such as CALL_NOT_FOUND")


def _bytes_of(value: object) -> bytes:
    return bytes_of("RouteResponse.body", value)


def _own_header(header: tuple[str, str]) -> tuple[str, str]:
    name, value = header
    check_instance("RouteResponse.headers", name, str)
    check_instance(f"RouteResponse.headers[{name!r}]", value, str)
    if not _HEADER_NAME.fullmatch(name) or _OF_THE_GATEWAY.fullmatch(name.lower()):
        raise ValueError(f"RouteResponse.headers: {name!r} is none that a route can set")
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"RouteResponse.headers[{name!r}]: expected visible ASCII in one line")
    return name.lower(), value
