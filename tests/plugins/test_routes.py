"""Sets of routes are checked when they are made, and the message says what is wrong with which plugin's."""

from typing import Any

import pytest
from glottis import PluginError, Route, RouteRequest, RouteResponse, RouteSocket, RoutesSpec, SocketRoute
from glottis.plugins import Plugin, create
from glottis.plugins.routes import MAX_ROUTES
from glottis.plugins.specifications import check_spec

PLUGIN = Plugin("Shelf", "shelf", "1.0")


async def handle(request: RouteRequest) -> RouteResponse:
    return RouteResponse()


def route(path: Any = "/", method: Any = "GET", access: Any = "public", **changes: Any) -> Route:
    return Route(method, path, access, **{"handle": handle, **changes})


async def listen(request: RouteRequest, socket: RouteSocket) -> None:
    """A handler."""


def socket(path: Any = "/", access: Any = "public", handle: Any = listen) -> SocketRoute:
    return SocketRoute(path, access, handle)


def made(*routes: Any) -> Any:
    return create(PLUGIN, RoutesSpec("shelf", lambda settings: routes), None)


def test_routes_are_made_in_their_order() -> None:
    paths = ["/", "/books", "/books/{book}", "/books/{book}/pages/{page}", "/_.-~/x"]
    assert [str(one) for one in made(*map(route, paths))] == [f"route GET {path}" for path in paths]


@pytest.mark.parametrize(
    ("routes", "complaint"),
    [
        ([None], "route: expected Route, got NoneType"),
        ([route(method="HEAD")], "Route.method: expected one of GET"),
        ([route(method=["GET"])], "Route.method: expected one of GET"),
        ([route(access="admin")], "Route.access: expected one of public"),
        ([route(handle=None)], "Route.handle: expected a function"),
        ([route(timeout=0)], "Route.timeout: expected at most 30 seconds"),
        ([route(timeout=31)], "Route.timeout: expected at most 30 seconds"),
        ([route(timeout=float("nan"))], "Route.timeout: expected at most 30 seconds"),
        ([route(timeout="soon")], "Route.timeout: expected"),
        ([route(makes_calls="yes")], "Route.makes_calls: expected"),
        *(
            ([route(path)], "Route.path: expected")
            for path in ("", "books", "//", "/books/", "/a b", "/%41", "/..", "/a/./b", "/{Book}", "/{a}{b}", "/é", 7)
        ),
        ([route("/{book}/{book}")], "Route.path: a parameter is there twice"),
        ([route("/{book}", access="session")], r"Route.path: a route for session needs the segment \{session_id\}"),
        ([route("/{book}"), route("/{page}")], r"GET /\{page\}: another route is for the same"),
        ([socket("books")], "Route.path: expected"),
        ([socket(access="admin")], "Route.access: expected one of public"),
        ([socket(handle=None)], "Route.handle: expected a function"),
        ([socket("/{book}"), socket("/{page}")], r"WEBSOCKET /\{page\}: another route is for the same"),
        ([route(f"/{number}") for number in range(MAX_ROUTES + 1)], "expected at most 64 routes, got 65"),
    ],
)
def test_what_could_never_be_served_is_refused(routes: list[Any], complaint: str) -> None:
    with pytest.raises(
        PluginError, match=rf"plugin Shelf \(shelf 1.0\): what create of shelf returned raised .*{complaint}"
    ):
        made(*routes)


def test_create_returns_a_list() -> None:
    with pytest.raises(PluginError, match=r"create of shelf returned .*expected a list of Route, got int"):
        create(PLUGIN, RoutesSpec("shelf", lambda settings: 7), None)  # type: ignore[arg-type, return-value]


def test_wording_is_a_function() -> None:
    with pytest.raises(ValueError, match=r"^refuse: expected a function"):
        check_spec(RoutesSpec("shelf", lambda settings: [], refuse="politely"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Shelf", "a/b", "a.b", "", "ü"])
def test_name_is_one_of_a_folder(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: expected "):
        check_spec(RoutesSpec(name, lambda settings: []))
