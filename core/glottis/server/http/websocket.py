"""One WebSocket with one exception: trio-websocket behind walls."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio
import trio_websocket
import wsproto.utilities

from glottis.server.http.message import HttpLimits
from glottis.server.http.websocket_stream import FrameMeter, Late, UpgradedStream
from glottis.signaling.close_codes import (
    ABNORMAL,
    INTERNAL_ERROR,
    NORMAL,
    NOT_ON_THE_WIRE,
    POLICY_VIOLATION,
    SERVICE_RESTART,
    TOO_LARGE,
)
from glottis.signaling.errors import WebSocketClosed

_REFUSALS: Final = {1002: "send frames as RFC 6455 has them", 1007: "send text and reasons in UTF-8"}
"""What is said in place of the library's messages, which quote its insides."""

MAX_REASON_BYTES: Final = 123
"""A control frame's payload of 125 bytes without the code (RFC 6455 §5.5)."""
RECEIVED_MESSAGES: Final = 4
"""Complete messages waiting for ``receive``; then TCP holds the peer back, and its pongs with it."""

logger = logging.getLogger(__name__)


_LIBRARY_ERRORS: Final = (
    trio_websocket.ConnectionClosed,
    wsproto.utilities.LocalProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)


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
            raise self._closed
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
                await self._connection.aclose(code, _fitting(reason).decode())

    def _why_closed(self) -> WebSocketClosed:
        if self._closed is None:
            by_library = self._connection.closed
            violation = self._stream.violation
            if violation is not None:
                code = POLICY_VIOLATION if isinstance(violation, Late) else TOO_LARGE
                self._closed = WebSocketClosed(code, str(violation))
            elif by_library is not None:
                self._closed = WebSocketClosed(int(by_library.code), self._reason_of(by_library))
            else:
                self._closed = WebSocketClosed(ABNORMAL, "connection lost")
        return self._closed

    def _reason_of(self, by_library: trio_websocket.CloseReason) -> str:
        """The peer's own words or, where the library refused a frame and its close is still to be sent, ours."""
        refused = not self._stream.close_frame_sent
        return (_REFUSALS.get(int(by_library.code)) if refused else None) or by_library.reason or ""

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
            if patience.cancelled_caught and self._is_receiving:
                self._closed = self._closed or WebSocketClosed(ABNORMAL, "no answer to a ping")
                return

    async def say_goodbye(self) -> None:
        """Make sure that the peer was told why the socket closes, if it is still there to hear it."""
        closed = self._why_closed()
        code = closed.code if closed.code not in NOT_ON_THE_WIRE else NORMAL
        with suppress(*_LIBRARY_ERRORS):
            await self._stream.send_close_frame(code, _fitting(closed.reason))


def _fitting(reason: str) -> bytes:
    """As much of the reason as a close frame takes, cut between characters."""
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore").encode()


@asynccontextmanager
async def open_server_websocket(
    stream: trio.abc.Stream, key: str, early_bytes: bytes, limits: HttpLimits
) -> AsyncIterator[WebSocket]:
    """Answer an opening handshake with this key, and close the WebSocket at the end, with 1012 if cancelled.

    ``early_bytes`` came after the request's head. Errors of the library show as ``WebSocketClosed`` only; whatever is
    raised inside comes out in an exception group. The stream itself is left to its owner.
    """
    meter = FrameMeter(limits.max_message_bytes, limits.max_message_fragments)
    upgraded = UpgradedStream(
        stream, key, early_bytes, meter, send_timeout=limits.send_timeout, message_timeout=limits.message_timeout
    )
    websocket: WebSocket | None = None
    try:
        async with trio.open_nursery() as nursery:
            websocket, library = await _accept(nursery, upgraded, limits)
            nursery.start_soon(_watch, websocket, library, limits.ping_interval)
            try:
                async with _closing(websocket):
                    yield websocket
            finally:
                library.cancel()
            nursery.cancel_scope.cancel()
    finally:
        if websocket is not None:
            with trio.move_on_after(limits.close_timeout, shield=True):
                await websocket.say_goodbye()


async def _accept(
    nursery: trio.Nursery, upgraded: UpgradedStream, limits: HttpLimits
) -> tuple[WebSocket, trio.CancelScope]:
    """The open WebSocket, and the scope whose cancellation stops the library's reader."""
    request, library = await nursery.start(_run_library, upgraded, limits.max_message_bytes)
    try:
        connection = await request.accept()
    except _LIBRARY_ERRORS:
        raise WebSocketClosed(ABNORMAL, "connection lost during the handshake") from None
    upgraded.accepted.set()
    library.shield = True  # it is to read the peer's answer to our close frame, also if we are cancelled
    return WebSocket(connection, upgraded, limits.close_timeout), library


async def _run_library(
    upgraded: UpgradedStream,
    max_message_bytes: int,
    *,
    task_status: trio.TaskStatus[tuple[trio_websocket.WebSocketRequest, trio.CancelScope]],
) -> None:
    """trio-websocket's reader. If it crashes, its channel closes, and the socket's user sees that it is closed.

    It crashes, for example, when a ping comes after a close frame was sent.
    """
    try:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(
                nursery, upgraded, max_message_size=max_message_bytes, message_queue_size=RECEIVED_MESSAGES
            )
            task_status.started((request, nursery.cancel_scope))
    except* Exception as errors:
        logger.debug("the WebSocket reader ended with %s", [type(error).__name__ for error in errors.exceptions])


async def _watch(websocket: WebSocket, library: trio.CancelScope, ping_interval: float) -> None:
    await websocket.keep_alive(ping_interval)
    library.cancel()


@asynccontextmanager
async def _closing(websocket: WebSocket) -> AsyncIterator[None]:
    """Close with the code that says how the block ended."""
    code, reason = SERVICE_RESTART, "the gateway is shutting down"
    try:
        yield
        code, reason = NORMAL, ""
    except Exception:
        code, reason = INTERNAL_ERROR, "internal error"
        raise
    finally:
        with trio.CancelScope(shield=True):
            await websocket.close(code, reason)
