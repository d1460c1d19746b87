"""The extension, the set of routes and the set of pages ``operators``: running calls, and how each of them fares.

The page's script is compiled from ``javascript/``.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import Final

from glottis import CallInfo, ConfigurationError, GatewayInfo, Page, PagesSpec, RoutesSpec, Statistics, hookimpl

from glottis_operators.desk import OperatorsDesk
from glottis_operators.record import CallRecord
from glottis_operators.routes import routes
from glottis_operators.settings import OperatorsConfig, RouteConfig

__all__ = ["DESK", "OperatorsConfig", "RouteConfig"]

DESK = OperatorsDesk()
PAGES: Final = {
    "/operators": ("index.html", "text/html; charset=utf-8"),
    "/operators/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/operators/page.css": ("page.css", "text/css; charset=utf-8"),
    "/operators/icon.svg": ("icon.svg", "image/svg+xml"),
}


@hookimpl
def extension_settings() -> type[OperatorsConfig]:
    """See ``OperatorsConfig``."""
    return OperatorsConfig


@hookimpl
def session_observers(
    call_info: CallInfo, statistics: Callable[[], Statistics], settings: OperatorsConfig
) -> Sequence[CallRecord]:
    """What keeps the record of a call."""
    return [DESK.observe(call_info, statistics, settings)]


@hookimpl
@asynccontextmanager
async def gateway_lifespan(gateway_info: GatewayInfo) -> AsyncIterator[None]:
    """Without anybody who may look there is nothing to serve."""
    if DESK.has_token is False and not gateway_info.operators:
        raise ConfigurationError(
            "routes.settings.operators.token: expected one, or principals in auth.operators: nobody may see the page"
        )
    DESK.open(gateway_info)
    try:
        yield
    finally:
        DESK.close()


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """``operators``, which tell the page all that it shows."""
    return [RoutesSpec("operators", partial(routes, DESK), RouteConfig)]


@hookimpl
def register_pages() -> Sequence[PagesSpec]:
    """``operators``, at ``/operators``."""
    folder = resources.files(__name__) / "static"
    pages = {path: Page((folder / name).read_bytes(), media_type) for path, (name, media_type) in PAGES.items()}
    return [PagesSpec("operators", pages)]
