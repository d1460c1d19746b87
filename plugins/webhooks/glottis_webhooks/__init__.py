"""The extension ``webhooks``: tells an endpoint of sessions that are created, become active and end."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from glottis import CallInfo, ConfigurationError, GatewayInfo, hookimpl

from glottis_webhooks.delivery import Delivery
from glottis_webhooks.events import SessionEvents
from glottis_webhooks.outbox import Outbox
from glottis_webhooks.settings import WebhooksConfig
from glottis_webhooks.spool import Spool

if TYPE_CHECKING:
    import httpx2

__all__ = ["OUTBOXES", "WebhooksConfig", "deliver"]

LAST_WORDS: Final = 0.7
"""Seconds for the ends of the last sessions to be posted when the gateway stops; the rest is when it starts again."""
LAST_WRITE: Final = 1.0
"""Seconds for what is in memory to be written then."""

OUTBOXES: Final[dict[int, Outbox]] = {}
"""Of the gateways in this process, by their settings' identity."""


@hookimpl
def extension_settings() -> type[WebhooksConfig]:
    """See ``WebhooksConfig``."""
    return WebhooksConfig


@hookimpl
def session_observers(call_info: CallInfo, settings: WebhooksConfig) -> Sequence[SessionEvents]:
    """Who puts the events of a session into the outbox."""
    outbox = OUTBOXES.get(id(settings))
    if outbox is None:
        return []
    return [SessionEvents(call_info, settings.events, outbox.put, time.time, statistics=settings.statistics)]


@hookimpl
@asynccontextmanager
async def gateway_lifespan(gateway_info: GatewayInfo, settings: WebhooksConfig) -> AsyncIterator[None]:
    """The outbox, and who empties it."""
    async with deliver(settings):
        yield


@asynccontextmanager
async def deliver(
    settings: WebhooksConfig, transport: "httpx2.AsyncBaseTransport | None" = None
) -> AsyncIterator[Outbox]:
    """What has been left from before is posted, and what is put; at the end, what is left lies on disk."""
    outbox = Outbox(Spool(Path(settings.directory)), settings.max_events)
    try:
        await outbox.open()
    except OSError as error:
        where = f"extensions.settings.webhooks.directory: {settings.directory}"
        raise ConfigurationError(f"{where}: {error.strerror or error}") from None
    delivery = Delivery(settings, outbox, transport)
    OUTBOXES[id(settings)] = outbox
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outbox.run)
            nursery.start_soon(outbox.inherit)
            nursery.start_soon(delivery.run)
            yield outbox
            with trio.move_on_after(LAST_WORDS):
                await outbox.empty()
            nursery.cancel_scope.cancel()
    finally:
        del OUTBOXES[id(settings)]
        with trio.move_on_after(LAST_WRITE, shield=True):
            await outbox.close()
