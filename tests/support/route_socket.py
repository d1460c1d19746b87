"""Clients of plugins' WebSockets, as a gateway in memory has them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from urllib.parse import urlsplit

import trio
import trio_websocket

from support.http import Reply, request
from support.patience import PATIENCE
from support.phone import Exchange, close_at_once


class RouteClient:
    """The client's end. ``receive`` raises ``trio_websocket.ConnectionClosed`` after the last message."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, connection: trio_websocket.WebSocketConnection) -> None:
        self.connection = connection
        self._stream = stream

    async def receive(self) -> Any:
        """The next message."""
        with trio.fail_after(PATIENCE):
            return await self.connection.get_message()

    async def send(self, message: str | bytes) -> None:
        """Send one."""
        await self.connection.send_message(message)

    async def closed(self) -> trio_websocket.CloseReason:
        """Why the gateway has closed it, after all that it has sent."""
        with suppress(trio_websocket.ConnectionClosed):
            while True:
                await self.receive()
        assert self.connection.closed is not None
        return self.connection.closed

    def cut(self) -> None:
        """Without a word."""
        close_at_once(self._stream)


async def ask_for_socket(exchange: Exchange, path: str, **headers: str) -> Reply:
    """The answer where one is refused before the handshake."""
    upgrade = {"upgrade": "websocket", "sec_websocket_version": "13", "sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    fields = upgrade | {"connection": "upgrade"} | headers
    return await request(exchange.gateway, "GET", path, b"", connect=exchange.network.connect, **fields)


@asynccontextmanager
async def open_route_socket(exchange: Exchange, path: str, **headers: str) -> AsyncIterator[RouteClient]:
    """One that is open; underscores in header names stand for hyphens."""
    url = urlsplit(exchange.gateway.url)
    stream = await exchange.network.connect(url.hostname or "", url.port or 0)
    try:
        async with trio.open_nursery() as nursery:
            connection = await trio_websocket.wrap_client_stream(
                nursery,
                cast(trio.SocketStream, stream),  # the library takes any
                url.netloc,
                path,
                extra_headers=[(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            )
            yield RouteClient(stream, connection)
            with trio.move_on_after(PATIENCE):
                await connection.aclose()
            nursery.cancel_scope.cancel()
    finally:
        close_at_once(stream)
