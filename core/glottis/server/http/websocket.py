"""One WebSocket with one exception: trio-websocket behind walls."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio
import trio_websocket
import wsproto.utilities

from glottis.barrier import split
from glottis.server.http.message import HttpLimits
from glottis.server.http.upgraded_stream import PIECE, UpgradedStream
from glottis.signaling.close_codes import ABNORMAL, INTERNAL_ERROR, NORMAL, SERVICE_RESTART
from glottis.signaling.errors import WebSocketClosed

_REFUSALS: Final = {1002: "send frames as RFC 6455 has them", 1007: "send text and reasons in UTF-8"}
"""What is said in place of the library's messages, which quote its insides."""

RECEIVED_MESSAGES: Final = 4
"""Complete messages waiting for ``receive``; then TCP holds the peer back, and its pongs with it."""

_LIBRARY_ERRORS: Final = (
    trio_websocket.ConnectionClosed,
    wsproto.utilities.LocalProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)

logger = logging.getLogger(__name__)


class WebSocket:
    """An accepted WebSocket. Made by ``open_server_websocket``, which also ends it."""

    def __init__(
        self, connection: trio_websocket.WebSocketConnection, stream: UpgradedStream, close_timeout: float
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._close_timeout = close_timeout
        self._closed: WebSocketClosed | None = None
        self._is_receiving = False
        self.ended = trio.Event()
        """Set when it has been closed for a while, whoever has done it, or its peer is gone."""
        self.taken: Callable[[], None] = lambda: None
        """To be called once it is clear that it is somebody's: until then it gives way to other connections."""

    def expect_audio(self) -> None:
        """Its messages are audio, of which there are more than of others."""
        self._stream.expect_audio()

    async def receive(self) -> str | bytes:
        """The next message; raises ``WebSocketClosed`` after the last one."""
        self._is_receiving = True
        try:
            return await self._connection.get_message()
        except _LIBRARY_ERRORS:
            raise self._why_closed() from None
        finally:
            self._is_receiving = False

    async def send(self, message: str | bytes) -> None:
        """Send one message; raises ``WebSocketClosed``, also when the peer does not read for a while."""
        if self._closed is not None:
            raise self._closed.again()
        try:
            await self._connection.send_message(message)
        except _LIBRARY_ERRORS:
            raise self._why_closed() from None

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close with this code and as much of ``reason`` as fits; waits for the peer's answer, but not for long."""
        if self._closed is not None:
            return
        self._closed = WebSocketClosed(code, reason)
        with trio.move_on_after(self._close_timeout):
            with suppress(*_LIBRARY_ERRORS):  # The peer may be faster.
                await self._connection.aclose(code, _encodable(reason))

    def _why_closed(self) -> WebSocketClosed:
        if self._closed is None:
            self._closed = self._stream.refusal or self._closed_by_library()
        return self._closed.again()

    def _closed_by_library(self) -> WebSocketClosed:
        """With the peer's own words or, where a frame was refused and its close is still to be sent, ours."""
        closed = self._connection.closed
        if closed is None:
            return WebSocketClosed(ABNORMAL, "connection lost")
        ours = None if self._stream.close_frame_sent else _REFUSALS.get(int(closed.code))
        return WebSocketClosed(int(closed.code), ours or closed.reason or "")

    async def keep_alive(self, interval: float) -> None:
        """Ping the peer every ``interval`` seconds; returns, and marks the socket as closed, when it stays silent.

        A peer that we hold back is not judged: its pong stands behind messages that nobody has received.
        """
        while True:
            await trio.sleep(interval)
            with trio.move_on_after(interval) as patience:
                try:
                    await self._connection.ping()
                except _LIBRARY_ERRORS:
                    return
            if patience.cancelled_caught and self._is_receiving and not self._stream.holds_back:
                self._closed = self._closed or WebSocketClosed(ABNORMAL, "no answer to a ping")
                return

    async def say_goodbye(self) -> None:
        """Make sure that the peer was told why the socket closes, if it is still there to hear it."""
        closed = self._why_closed()
        with suppress(*_LIBRARY_ERRORS):
            await self._stream.send_close_frame(closed.code, _encodable(closed.reason))


Talk = Callable[[WebSocket], Awaitable[None]]
"""What is done with an accepted WebSocket, until either side closes it."""


def _encodable(reason: str) -> str:
    return reason.encode(errors="replace").decode()


@asynccontextmanager
async def open_server_websocket(
    stream: trio.abc.Stream, key: str, early_bytes: bytes, limits: HttpLimits
) -> AsyncIterator[WebSocket]:
    """Answer an opening handshake with this key, and close the WebSocket at the end, with 1012 if cancelled.

    ``early_bytes`` came after the request's head. Errors of the library show as ``WebSocketClosed`` only; whatever is
    raised inside comes out in an exception group. The stream itself is left to its owner.
    """
    upgraded = UpgradedStream(stream, key, early_bytes, limits)
    websocket: WebSocket | None = None
    try:
        async with trio.open_nursery() as nursery:
            websocket, library = await nursery.start(_run_library, upgraded, limits)
            try:
                async with _closing(websocket):
                    yield websocket
            finally:
                library.cancel()
    finally:
        if websocket is not None:
            with trio.move_on_after(limits.close_timeout, shield=True):
                await websocket.say_goodbye()


async def _run_library(
    stream: UpgradedStream,
    limits: HttpLimits,
    *,
    task_status: trio.TaskStatus[tuple[WebSocket, trio.CancelScope]],
) -> None:
    """Accept the WebSocket, and keep it alive beside trio-websocket's reader until the scope is cancelled.

    Once accepted it is shielded, to read the peer's answer to our close frame. If the reader crashes, its channel
    closes, and the socket's user sees that it is closed. It crashes, for example, when a ping comes after a close
    frame was sent.
    """
    websocket: WebSocket | None = None
    try:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(
                nursery,
                stream,
                max_message_size=limits.max_message_bytes,
                message_queue_size=RECEIVED_MESSAGES,
                receive_buffer_size=PIECE,
            )
            websocket = WebSocket(await request.accept(), stream, limits.close_timeout)
            nursery.cancel_scope.shield = True
            task_status.started((websocket, nursery.cancel_scope))
            await websocket.keep_alive(limits.ping_interval)
            nursery.cancel_scope.cancel()
    except* Exception as errors:
        if websocket is None:
            raise WebSocketClosed(ABNORMAL, "connection lost during the handshake") from None
        logger.debug("the WebSocket reader ended with %s", [type(error).__name__ for error in errors.exceptions])
    finally:
        if websocket is not None:
            websocket.ended.set()


@asynccontextmanager
async def _closing(websocket: WebSocket) -> AsyncIterator[None]:
    """Close with the code that says how the block ended."""
    code, reason = SERVICE_RESTART, "the gateway is shutting down"
    try:
        yield
        code, reason = NORMAL, ""
    except BaseException as error:
        if split(error)[1] is not None:
            code, reason = INTERNAL_ERROR, "internal error"
        raise
    finally:
        with trio.CancelScope(shield=True):
            await websocket.close(code, reason)
