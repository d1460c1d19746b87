"""The extension ``metrics``, and the set of routes of this name: what Prometheus may know of a gateway."""

import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio
from glottis import CallInfo, GatewayFigures, GatewayInfo, GatewayParts, RoutesSpec, hookimpl

from glottis_metrics.gateway import exposition, together
from glottis_metrics.meter import Meter, SessionMeter
from glottis_metrics.scraping import listening, routes
from glottis_metrics.settings import MetricsConfig, RouteConfig

__all__ = ["DESK", "MetricsConfig", "RouteConfig"]


NAME: Final = "metrics"
"""By which the processes of a gateway tell each other theirs."""


class MetricsDesk:
    """The meter of a process, and the gateway in it.

    Threads write: of many labels there is much, and calls are not to wait.
    """

    def __init__(self) -> None:
        self.meter = Meter()
        self.figures: Callable[[], GatewayFigures] = GatewayFigures
        self.parts: GatewayParts | None = None

    async def render(self) -> bytes:
        """All metrics of all processes as text."""
        if self.parts is None or self.parts.number == 0:
            return await self._render_own()
        return await trio.to_thread.run_sync(together, await self.parts.collect(NAME))

    async def tell(self) -> bytes:
        """Those of this process, for another one."""
        return await trio.to_thread.run_sync(zlib.compress, await self._render_own())

    async def _render_own(self) -> bytes:
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
    DESK.figures, DESK.parts = gateway_info.figures, gateway_info.parts
    gateway_info.parts.offer(NAME, DESK.tell)
    try:
        async with listening(DESK.render, settings, is_shared=gateway_info.parts.number > 0):
            yield
    finally:
        DESK.figures, DESK.parts = GatewayFigures, None


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """``metrics``, by which they are fetched without a port of their own."""
    return [RoutesSpec("metrics", partial(routes, DESK.render), RouteConfig)]
