"""Connections that all calls of a process share, so that none has to be made before each answer."""

from collections.abc import Hashable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

import trio
import trio.lowlevel

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_CONNECTIONS: Final = 1000
IDLE_CONNECTIONS: Final = 50
IDLE_SECONDS: Final = 30.0

_clients: trio.lowlevel.RunVar[dict[Hashable, "httpx2.AsyncClient"]] = trio.lowlevel.RunVar("glottis-services clients")


def shared_client(key: Hashable) -> "httpx2.AsyncClient":
    """The client of this key; it is closed when trio's run ends."""
    import httpx2

    try:
        clients = _clients.get()
    except LookupError:
        clients = {}
        _clients.set(clients)
        trio.lowlevel.spawn_system_task(_close_at_the_end, clients)
    if key not in clients:
        limits = httpx2.Limits(
            max_connections=MAX_CONNECTIONS, max_keepalive_connections=IDLE_CONNECTIONS, keepalive_expiry=IDLE_SECONDS
        )
        clients[key] = httpx2.AsyncClient(verify=trusted(), limits=limits, timeout=None)
    return clients[key]


async def _close_at_the_end(clients: dict[Hashable, "httpx2.AsyncClient"]) -> None:
    """System tasks are cancelled when the main one has ended; what they raise would be taken for an error of trio's."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(1, shield=True):
            for client in clients.values():
                with suppress(Exception):
                    await client.aclose()


@cache
def trusted() -> "ssl.SSLContext":
    """Whose certificates are trusted; made once, since it takes 0.2 s."""
    import httpx2

    return httpx2.create_ssl_context()
