"""A service of WebSockets in memory, which does what a test says and keeps what it was told."""

import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
import trio.abc
import trio.testing
import trio_websocket


class Peer:
    """The service's end of one connection."""

    def __init__(
        self,
        connection: trio_websocket.WebSocketConnection,
        request: trio_websocket.WebSocketRequest,
        stream: trio.abc.Stream,
    ) -> None:
        self.connection = connection
        self.stream = stream
        self.path = request.path
        self.headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        self.said: list[Any] = []
        """What it was told in JSON."""
        self.heard = b""
        """What it was told in bytes."""

    async def send(self, *messages: Any) -> None:
        """Each is bytes or text as it is, or becomes JSON."""
        for message in messages:
            is_raw = isinstance(message, bytes | str)
            await self.connection.send_message(message if is_raw else json.dumps(message))

    async def receive(self) -> Any:
        """The next message that is JSON."""
        while isinstance(data := await self.connection.get_message(), bytes):
            self.heard += data
        self.said.append(json.loads(data))
        return self.said[-1]

    async def receive_type(self, name: str, key: str = "type") -> Any:
        """The next one of this type."""
        while (message := await self.receive()).get(key) != name:
            pass
        return message


Behave = Callable[[Peer], Awaitable[object]]


class SocketService:
    """``connect`` is for who is to be connected. Made by ``socket_service``."""

    def __init__(self, nursery: trio.Nursery, behave: Behave) -> None:
        self.peers: list[Peer] = []
        self.failures: deque[Exception | bytes] = deque()
        """What the next connections meet with: an error, or an answer in HTTP."""
        self._nursery = nursery
        self._behave = behave

    @property
    def peer(self) -> Peer:
        """Of the last connection."""
        return self.peers[-1]

    async def connect(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        failure = self.failures.popleft() if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        ours, theirs = trio.testing.memory_stream_pair()
        if failure is not None:
            self._nursery.start_soon(self._refuse, ours, failure)
        else:
            self._nursery.start_soon(self._serve, ours)
        return theirs

    async def _refuse(self, stream: trio.abc.Stream, answer: bytes) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    async def _serve(self, stream: Any) -> None:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(nursery, stream)
            connection = await request.accept()
            self.peers.append(Peer(connection, request, stream))
            with suppress(trio_websocket.ConnectionClosed):
                await self._behave(self.peers[-1])
                await connection.aclose()


@asynccontextmanager
async def socket_service(behave: Behave) -> AsyncIterator[SocketService]:
    """A service each of whose connections behaves so; it is closed when that returns."""
    async with trio.open_nursery() as nursery:
        yield SocketService(nursery, behave)
        nursery.cancel_scope.cancel()
