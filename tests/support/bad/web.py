"""Routes and pages: a good one of each, and such as cannot be served."""

from collections.abc import Mapping
from typing import Any

from glottis import Page, PagesSpec, Route, RouteRequest, RouteResponse, RoutesSpec


async def answer(request: RouteRequest) -> RouteResponse:
    return RouteResponse(body=b"fine")


def routes(*made: Any) -> RoutesSpec:
    return RoutesSpec("web", lambda settings: list(made))


FINE = Page(b"fine", "text/plain")


def pages(path: str = "/web", page: Any = FINE) -> PagesSpec:
    return PagesSpec("web", {path: page})


GOOD_ROUTES = routes(Route("GET", "/fine", "public", answer))
GOOD_PAGES = pages()
BAD_ROUTES: Mapping[str, list[Any]] = {
    "description": [
        routes(Route("GET", "fine", "public", answer)),
        routes(Route("FETCH", "/fine", "public", answer)),  # type: ignore[arg-type]
        routes(Route("GET", "/fine", "session", answer)),
        routes(Route("GET", "/fine", "public", answer), Route("GET", "/fine", "public", answer)),
        routes("/fine"),
    ],
}
BAD_PAGES: Mapping[str, list[Any]] = {
    "description": [pages("web"), pages("/api/web"), pages(page=b"fine"), pages(page=Page(b"fine", "text"))],
}
