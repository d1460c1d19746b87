"""The signaling of a call, on the client's side of its WebSocket (CONTRACT §2–3)."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import SplitResult

import trio
import trio_websocket
import wsproto.utilities

from glottis.client.connection import CallFailed, ClientStream, open_client_stream, port_of, split_gateway_url
from glottis.client.grant import parse_problem_untrusted
from glottis.client.own_address import is_ours
from glottis.contracts.errors import LocalError, Malformed
from glottis.signaling.close_codes import ABNORMAL
from glottis.signaling.errors import WebSocketClosed
from glottis.signaling.messages import (
    Audio,
    ClientMessage,
    ServerMessage,
    encode_message,
    parse_server_message_untrusted,
)

HANDSHAKE_TIMEOUT: Final = 10.0
PROBE_TIME: Final = 1.0
"""Seconds for the gateway to answer a ping, when there is reason to doubt that the WebSocket has a way to it."""
LOOK: Final = 0.1
"""Seconds between two looks whether this machine still has the address: each takes 10 µs."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds to send what is queued and to hear the gateway's close, in all."""
MAX_QUEUED_MESSAGES: Final = 64
"""Messages for a gateway that does not read. More: ``LocalError`` for whoever sends."""
MAX_MESSAGE: Final = 1 << 20
"""Characters of a message that is taken; a gateway's longest is an answer of some kilobytes."""

logger = logging.getLogger(__name__)


class ClientSignaling:
    """Messages to and from a gateway. Made by ``open_client_signaling``, whose task does the sending."""

    def __init__(
        self, connection: trio_websocket.WebSocketConnection, tasks: trio.CancelScope, *, local_host: str
    ) -> None:
        self.local_host = local_host
        """The IP address of this machine from which the gateway is reached."""
        self._connection = connection
        self._tasks = tasks
        self._queue, self._queued = trio.open_memory_channel[str | bytes](MAX_QUEUED_MESSAGES)
        self._written = trio.Event()
        self._reading = trio.CancelScope()
        self._closing = trio.CancelScope()
        self._is_lost = False

    async def receive(self) -> ServerMessage | Audio:
        """The gateway's next message; raises ``WebSocketClosed`` at the end. What cannot be read is skipped."""
        while True:
            try:
                with trio.CancelScope() as self._reading:
                    data = await self._connection.get_message()
                if self._is_lost:
                    raise WebSocketClosed(ABNORMAL, "connection lost")
                return Audio(data) if isinstance(data, bytes) else parse_server_message_untrusted(data)
            except trio_websocket.ConnectionClosed:
                raise self._why_closed() from None
            except Malformed as error:
                logger.warning("a message of the gateway is ignored: %s", error)

    def send(self, message: ClientMessage) -> None:
        """Queue a message; after the end it is dropped. Raises ``LocalError`` when too many wait."""
        try:
            self._queue.send_nowait(encode_message(message))
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return
        except trio.WouldBlock:
            raise LocalError(f"the gateway does not read: {MAX_QUEUED_MESSAGES} messages wait for it") from None

    def play(self, audio: bytes) -> int:
        """Queue a binary message; says how many were dropped, this one, when too many wait."""
        try:
            self._queue.send_nowait(audio)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return 0
        except trio.WouldBlock:
            return 1
        return 0

    async def probe(self) -> None:
        """Is the gateway still there? If not, it is lost, though TCP would go on trying for a quarter of an hour."""
        with trio.move_on_after(PROBE_TIME) as patience, suppress(trio_websocket.ConnectionClosed):
            await self._connection.ping()
        if patience.cancelled_caught:
            self._lose()

    async def watch(self) -> None:
        """As soon as this machine has the address no more, what came from there has no way: TCP would not tell."""
        while True:
            if not is_ours(self.local_host):
                self._lose()
                return
            await trio.sleep(LOOK)

    def _lose(self) -> None:
        self._is_lost = True
        self._reading.cancel()

    async def write(self) -> None:
        """Send what is queued, until ``close`` or the gateway ends it."""
        try:
            async with self._queued:
                async for message in self._queued:
                    await self._connection.send_message(message)
        except trio_websocket.ConnectionClosed:
            return
        finally:
            self._written.set()

    async def close(self) -> None:
        """Send what is queued and close, which takes ``CLOSE_TIMEOUT`` at most, also when cancelled."""
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True) as self._closing:
            self._queue.close()
            await self._written.wait()
            await self._connection.aclose()
        self._tasks.cancel()

    def expect_no_close(self) -> None:
        """Nobody is there to read the gateway's."""
        self._closing.cancel()

    def _why_closed(self) -> WebSocketClosed:
        closed = self._connection.closed
        if closed is None or closed.code == ABNORMAL:
            return WebSocketClosed(ABNORMAL, "connection lost")
        return WebSocketClosed(closed.code, closed.reason or "")


@asynccontextmanager
async def open_client_signaling(
    websocket_url: str, *, gateway_url: str = "", connected: Callable[[str], None] = lambda local_host: None
) -> AsyncIterator[ClientSignaling]:
    """Connect to a session's WebSocket. Raises ``CallFailed``; ``gateway_url`` is whom to blame for a useless URL.

    ``connected`` is told this machine's IP address while the handshakes go on: media can be prepared meanwhile.
    Leaving the block sends what is queued and closes. What is raised inside comes out in an exception group.
    """
    url = split_gateway_url(websocket_url)
    origin = split_gateway_url(gateway_url or websocket_url)
    async with await _connect(url, origin, connected) as stream, trio.open_nursery() as nursery:
        signaling: ClientSignaling = await nursery.start(_run, stream, url)
        try:
            yield signaling
        finally:
            await signaling.close()


async def _connect(url: SplitResult, origin: SplitResult, connected: Callable[[str], None]) -> ClientStream:
    """``origin`` is where ``url`` came from."""
    try:
        return await open_client_stream(url, connected=connected)
    except CallFailed as failure:
        if (url.hostname, port_of(url)) == (origin.hostname, port_of(origin)):
            raise
        hint = f"{origin.netloc} sends its clients there, see its server.public_url"
        raise CallFailed(f"{failure}; {hint}") from failure


async def _run(stream: ClientStream, url: SplitResult, *, task_status: trio.TaskStatus[ClientSignaling]) -> None:
    """The tasks that read and write. Once connected they are shielded, so that even who is cancelled can say bye.

    The library's reader crashes when a ping comes after our close, which it would answer: the call is over anyway.
    """
    signaling: ClientSignaling | None = None
    with trio.CancelScope() as tasks:
        try:
            async with trio.open_nursery() as nursery:
                connection = await _shake_hands(nursery, stream, url)
                tasks.shield = True
                signaling = ClientSignaling(connection, tasks, local_host=_local_host(stream))
                nursery.start_soon(signaling.write)
                nursery.start_soon(signaling.watch)
                task_status.started(signaling)
        except* trio_websocket.ConnectionRejected as rejections:  # the library's reader has raised it
            raise CallFailed(f"{url.netloc} refuses the WebSocket: {_why_rejected(rejections)}") from None
        except* wsproto.utilities.LocalProtocolError:
            if signaling is not None:
                signaling.expect_no_close()


async def _shake_hands(
    nursery: trio.Nursery, stream: ClientStream, url: SplitResult
) -> trio_websocket.WebSocketConnection:
    resource = f"{url.path}?{url.query}"
    try:
        with trio.fail_after(HANDSHAKE_TIMEOUT):
            return await trio_websocket.wrap_client_stream(
                nursery, stream, url.netloc, resource, max_message_size=MAX_MESSAGE
            )
    except trio.TooSlowError:
        raise CallFailed(f"{url.netloc} has not opened the WebSocket within {HANDSHAKE_TIMEOUT:g} s") from None


def _why_rejected(rejections: BaseExceptionGroup[trio_websocket.ConnectionRejected]) -> str:
    """In the gateway's own words; what has none is not the gateway."""
    rejection = rejections.exceptions[0]
    assert isinstance(rejection, trio_websocket.ConnectionRejected)
    try:
        return parse_problem_untrusted(rejection.body or b"")
    except Malformed:
        return f"HTTP status {rejection.status_code}; a proxy on the way may not pass WebSockets on"


def _local_host(stream: ClientStream) -> str:
    tcp = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    return str(tcp.socket.getsockname()[0])
