"""One WebSocket with one exception: wsproto reads and writes the frames, and this is the I/O around it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, generate_accept_token

from glottis.barrier import split
from glottis.calls.streams import SmallEvent, Wakeup
from glottis.contracts.short_queue import ShortQueue
from glottis.server.http.message import HttpLimits
from glottis.server.http.upgraded_stream import UpgradedStream
from glottis.signaling.close_codes import ABNORMAL, INTERNAL_ERROR, NORMAL, SERVICE_RESTART
from glottis.signaling.errors import WebSocketClosed

_REFUSALS: Final = {1002: "send frames as RFC 6455 has them", 1007: "send text and reasons in UTF-8"}
"""What is said in place of wsproto's messages, which quote its insides."""

RECEIVED_MESSAGES: Final = 4
"""Complete messages waiting for ``receive``; then TCP holds the peer back, and its pongs with it."""

_STREAM_ERRORS: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
_SEND_ERRORS: Final = (*_STREAM_ERRORS, LocalProtocolError)
"""The last one, if a close frame has gone before."""

logger = logging.getLogger(__name__)


class WebSocket:
    """An accepted WebSocket. Made by ``open_server_websocket``, which also ends it."""

    def __init__(self, stream: UpgradedStream, limits: HttpLimits) -> None:
        self._stream = stream
        self._frames = Connection(ConnectionType.SERVER)
        self._close_timeout = limits.close_timeout
        self._ping_interval = limits.ping_interval
        self._ping_at = trio.current_time() + limits.ping_interval
        self._is_heard = True
        """Whether anything has come since the last ping."""
        self._closed: WebSocketClosed | None = None
        """Nothing more is said, nor taken that comes."""
        self._is_over = False
        """The same, and who receives is told."""
        self._messages: ShortQueue[str | bytes] = ShortQueue()
        self._fragments: list[Any] = []
        """Of the message that is not whole yet."""
        self._arrived, self._fetched, self._sent = Wakeup(), Wakeup(), Wakeup()
        self._is_sending = False
        self.ended = SmallEvent()
        """Set when it has been closed for a while, whoever has done it, or its peer is gone."""
        self.taken: Callable[[], None] = lambda: None
        """To be called once it is clear that it is somebody's: until then it gives way to other connections."""

    def expect_audio(self) -> None:
        """Its messages are audio, of which there are more than of others."""
        self._stream.expect_audio()

    async def receive(self) -> str | bytes:
        """The next message; raises ``WebSocketClosed`` after the last one."""
        await trio.lowlevel.checkpoint()
        while not self._messages:
            if self._is_over:
                raise (self._closed or _lost()).again()
            await self._arrived.wait()
        self._fetched.wake()
        return self._messages.popleft()

    async def send(self, *messages: str | bytes) -> None:
        """Send them in one go; raises ``WebSocketClosed``, also when the peer does not read for a while."""
        if self._closed is not None:
            raise self._closed.again()
        await self._send(*(TextMessage(one) if isinstance(one, str) else BytesMessage(one) for one in messages))

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close with this code and as much of ``reason`` as fits; waits for the peer's answer, but not for long."""
        if self._closed is not None:
            return
        self._messages.clear()
        with trio.move_on_after(self._close_timeout):
            await self._part(WebSocketClosed(code, reason), CloseConnection(code, _encodable(reason)))
            await self.ended.wait()

    async def _part(self, closed: WebSocketClosed, frame: Event) -> None:
        """Who receives may end what this is a part of, so that is told when the close frame has been sent."""
        self._closed = closed
        try:
            with suppress(WebSocketClosed):  # The peer may be faster.
                await self._send(frame)
        finally:
            self._tell_end()

    async def say_goodbye(self) -> None:
        """Make sure that the peer was told why the socket closes, if it is still there to hear it."""
        closed = self._closed or _lost()
        with suppress(*_STREAM_ERRORS):
            await self._stream.send_close_frame(closed.code, _encodable(closed.reason))

    def _close(self, closed: WebSocketClosed) -> None:
        """What has come before is still received."""
        if self._closed is None:
            self._closed = closed
            self._tell_end()

    def _tell_end(self) -> None:
        """To whoever waits in vain from now on."""
        self._is_over = True
        self._arrived.wake()
        self._fetched.wake()

    async def _send(self, *events: Event) -> None:
        """Their frames after those of others. Raises ``WebSocketClosed``."""
        while self._is_sending:
            await self._sent.wait()
        self._is_sending = True
        try:
            await self._stream.send_all(b"".join(map(self._frames.send, events)))
        except _SEND_ERRORS:
            self._close(_lost())
            raise (self._closed or _lost()).again() from None
        finally:
            self._is_sending = False
            self._sent.wake()

    # What the peer sends

    async def read(self) -> None:
        """Until either side has closed it, and the peer has said so or is gone; pings the peer meanwhile."""
        try:
            while self._frames.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
                if trio.current_time() >= self._ping_at:
                    await self._ping()
                piece = await self._stream.receive_piece(self._ping_at)
                if piece is None:
                    continue
                if not piece:
                    break
                self._is_heard = True
                self._frames.receive_data(piece)
                del piece  # an offer is long, and may be the last for long
                for event in self._frames.events():
                    await self._take(event)
                    del event
        except WebSocketClosed as closed:
            self._close(closed)
        except _STREAM_ERRORS:
            pass
        finally:
            self._close(_lost())
            self.ended.set()

    async def _ping(self) -> None:
        """Ask whether the peer is there still, which has answered the time before. Raises ``WebSocketClosed``."""
        if not self._is_heard:
            raise WebSocketClosed(ABNORMAL, "no answer to a ping")
        self._ping_at = trio.current_time() + self._ping_interval
        self._is_heard = False
        if self._closed is None:
            await self._send(Ping())

    async def _take(self, event: Event) -> None:
        """Raises ``WebSocketClosed`` at the end."""
        match event:
            case TextMessage() | BytesMessage():
                self._fragments.append(event.data)
                if event.message_finished:
                    fragments, self._fragments = self._fragments, []
                    await self._deliver("".join(fragments) if isinstance(event, TextMessage) else b"".join(fragments))
            case Ping() if self._closed is None:
                await self._send(event.response())
            case CloseConnection():
                await self._take_close(event)

    async def _deliver(self, message: str | bytes) -> None:
        """What comes after our close frame is nobody's."""
        while len(self._messages) >= RECEIVED_MESSAGES and self._closed is None:
            await self._fetched.wait()
        if self._closed is None:
            self._messages.append(message)
            self._arrived.wake()

    async def _take_close(self, event: CloseConnection) -> None:
        """The peer's, or what wsproto tells in its place where a frame is refused. Raises ``WebSocketClosed``."""
        code, reason = int(event.code), event.reason or ""
        if self._frames.state is not ConnectionState.REMOTE_CLOSING:
            raise WebSocketClosed(code, _REFUSALS.get(code, reason))
        closed = WebSocketClosed(code, reason)
        if self._closed is None:
            await self._part(closed, event.response())
        raise closed


Talk = Callable[[WebSocket], Awaitable[None]]
"""What is done with an accepted WebSocket, until either side closes it."""


def _lost() -> WebSocketClosed:
    return WebSocketClosed(ABNORMAL, "connection lost")


def _encodable(reason: str) -> str:
    return reason.encode(errors="replace").decode()


@asynccontextmanager
async def open_server_websocket(
    stream: trio.abc.Stream, key: str, early_bytes: bytes, limits: HttpLimits
) -> AsyncIterator[WebSocket]:
    """Answer an opening handshake with this key, and close the WebSocket at the end, with 1012 if cancelled.

    ``early_bytes`` came after the request's head. Errors of the stream show as ``WebSocketClosed`` only; whatever is
    raised inside comes out in an exception group. The stream itself is left to its owner.
    """
    upgraded = UpgradedStream(stream, early_bytes, limits)
    try:
        await upgraded.send_all(_answer(key))
    except _STREAM_ERRORS:
        raise WebSocketClosed(ABNORMAL, "connection lost during the handshake") from None
    websocket = WebSocket(upgraded, limits)
    try:
        async with trio.open_nursery() as nursery:
            reading = trio.CancelScope(shield=True)  # to read the peer's answer to our close frame
            nursery.start_soon(_read, websocket, reading)
            try:
                async with _closing(websocket):
                    yield websocket
            finally:
                reading.cancel()
    finally:
        with trio.move_on_after(limits.close_timeout, shield=True):
            await websocket.say_goodbye()


def _answer(key: str) -> bytes:
    """RFC 6455 §4.2.2."""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + generate_accept_token(key.encode())
        + b"\r\n\r\n"
    )


async def _read(websocket: WebSocket, scope: trio.CancelScope) -> None:
    with scope:
        await websocket.read()


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
