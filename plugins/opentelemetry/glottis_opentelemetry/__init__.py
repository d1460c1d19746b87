"""The extension ``opentelemetry``, and the set of routes of this name: what becomes of calls and turns, as traces."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio
from glottis import CallInfo, GatewayInfo, RoutesSpec, Statistics, Tell, hookimpl

from glottis_opentelemetry.desk import NAME, CallRoutes, Desk
from glottis_opentelemetry.observer import SessionTrace
from glottis_opentelemetry.settings import OpenTelemetryConfig

__all__ = ["DESKS", "OpenTelemetryConfig"]

LAST_WORDS: Final = 1.0
"""Seconds for the last spans to be sent when the gateway stops."""

DESKS: Final[dict[int, Desk]] = {}
"""Of the gateways in this process, by their settings' identity."""
ROUTES: Final = CallRoutes()


@hookimpl
def extension_settings() -> type[OpenTelemetryConfig]:
    """See ``OpenTelemetryConfig``."""
    return OpenTelemetryConfig


@hookimpl
def session_observers(
    call_info: CallInfo, tell: Tell, statistics: Callable[[], Statistics], settings: OpenTelemetryConfig
) -> Sequence[SessionTrace]:
    """Who follows a session."""
    desk = DESKS.get(id(settings))
    return [desk.observe(call_info, tell, statistics)] if desk is not None else []


@hookimpl
@asynccontextmanager
async def gateway_lifespan(gateway_info: GatewayInfo, settings: OpenTelemetryConfig) -> AsyncIterator[None]:
    """The thread that sends spans. The SDK is imported by another one, for it takes its time."""
    parts = gateway_info.parts

    def make() -> Desk:
        from glottis_opentelemetry.spans import Spans

        return Desk(settings, Spans(settings, gateway_info.version, f"{gateway_info.url} {parts.number}"))

    desk = DESKS[id(settings)] = await trio.to_thread.run_sync(make)
    parts.offer(NAME, desk.tell)
    ROUTES.parts, ROUTES.desk = parts if parts.number else None, desk
    try:
        yield
    finally:
        del DESKS[id(settings)]
        ROUTES.desk = None
        with trio.move_on_after(LAST_WORDS + 0.3, shield=True):
            await trio.to_thread.run_sync(desk.close, LAST_WORDS, abandon_on_cancel=True)


@hookimpl
def register_routes() -> Sequence[RoutesSpec]:
    """``opentelemetry``: the same as JSON."""
    return [RoutesSpec("opentelemetry", lambda settings: ROUTES.routes())]
