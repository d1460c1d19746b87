"""The extension ``metrics``, and the set of routes of this name: what Prometheus may know of a gateway."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio
from glottis import CallInfo, GatewayFigures, GatewayInfo, RoutesSpec, hookimpl

from glottis_metrics.gateway import exposition
from glottis_metrics.meter import Meter, SessionMeter
from glottis_metrics.scraping import listening, routes
from glottis_metrics.settings import MetricsConfig, RouteConfig

__all__ = ["DESK", "MetricsConfig", "RouteConfig"]


class MetricsDesk:
    """The meter of a process, and the gateway in it."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.figures: Callable[[], GatewayFigures] = GatewayFigures

    async def render(self) -> bytes:
        """All metrics as text. A thread writes it: of many labels there is much, and calls are not to wait."""
        return await trio.to_thread.run_sync(exposition, self.meter.registry, self.figures())


DESK = MetricsDesk()


@hookimpl
def extension_settings() -> type[MetricsConfig]:
    """See ``MetricsConfig``."""
    return MetricsConfig


@hookimpl
def session_observers(call_info: CallInfo) -> Sequence[SessionMeter]:
    """What counts a session."""
    return [DESK.meter.observe(call_info)]


@hookimpl
@asynccontextmanager
async def gateway_lifespan(gateway_info: GatewayInfo, settings: MetricsConfig) -> AsyncIterator[None]:
    """A port of its own, where that is configured."""
    DESK.figures = gateway_info.figures
    try:
        async with listening(DESK.render, settings):
            yield
    finally:
        DESK.figures = GatewayFigures


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """``metrics``, by which they are fetched without a port of their own."""
    return [RoutesSpec("metrics", partial(routes, DESK.render), RouteConfig)]
