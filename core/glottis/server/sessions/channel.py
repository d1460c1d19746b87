"""The signaling of one session over one WebSocket: ordered, bounded, and the answer first (CONTRACT §2–3)."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import msgspec
import trio

from glottis.calls.streams import SmallEvent, Wakeup
from glottis.contracts.short_queue import ShortQueue
from glottis.server.http.turns import Turns
from glottis.signaling.close_codes import NORMAL, POLICY_VIOLATION, TRY_AGAIN_LATER
from glottis.signaling.errors import Rejected, WebSocketClosed
from glottis.signaling.messages import (
    Answer,
    Audio,
    Bye,
    ClientMessage,
    Error,
    Mark,
    SignalingMessage,
    encode_message,
    parse_client_message_untrusted,
)
from glottis.wire.token_bucket import TokenBucket

SENT_AT_ONCE: Final = 8192
"""Bytes of messages that leave in one go; a longer one leaves alone."""

logger = logging.getLogger(__name__)


class SignalingLimits(msgspec.Struct, frozen=True):
    """Bounds of one channel. Overflow ends it: a client that missed a message is in no known state."""

    max_queued_messages: int = 256
    """Messages for a client that does not read. More: closed with 1013."""
    max_queued_bytes: int = 1024 * 1024
    errors_per_minute: float = 30
    """Bad messages that are answered with an ``error``. More: closed with 1008."""
    error_burst: float = 10
    max_queued_audio: int = 25
    """Binary messages for it, half a second as a rule. More: the oldest are dropped, for nobody waits to hear them."""
    flush_timeout: float = 2.0
    """Seconds for ``close`` to send what is queued."""


DEFAULT_SIGNALING_LIMITS: Final = SignalingLimits()


class Socket(Protocol):
    """What the channel needs of a ``WebSocket``."""

    async def receive(self) -> str | bytes: ...
    async def send(self, *messages: str | bytes) -> None: ...
    async def close(self, code: int = NORMAL, reason: str = "") -> None: ...


class SignalingChannel:
    """Messages to and from one client. Made by ``open_signaling``, whose task does the sending.

    Until the first answer only answers, errors and byes are sent: clients cannot take candidates before it
    (CONTRACT T12). The rest waits and follows the answer in order.
    """

    def __init__(
        self, websocket: Socket, limits: SignalingLimits, session_id: str, *, answered: bool, turns: Turns
    ) -> None:
        self._websocket = websocket
        self._limits = limits
        self._session_id = session_id
        self._answered = answered
        self._turns = turns
        self._ready: ShortQueue[bytes] = ShortQueue()
        self._audio: ShortQueue[bytes | str] = ShortQueue()
        self._held_back: list[bytes] = []
        self._queued_bytes = 0
        self._errors = TokenBucket(limits.errors_per_minute / 60, limits.error_burst, trio.current_time())
        self._closing: WebSocketClosed | None = None
        self._sending = trio.CancelScope()
        self._queued, self._sent = Wakeup(), Wakeup()
        self._finished = SmallEvent()

    async def receive(self) -> ClientMessage | Audio:
        """The client's next valid message; raises ``WebSocketClosed`` at the end.

        A bad message is answered with an ``error`` here; too many of them end the channel with 1008.
        """
        while True:
            data = await self._receive()
            if self._closing is not None:
                continue  # what comes after the end is nobody's
            try:
                if isinstance(data, bytes):
                    return Audio(data)
                async with self._turns:
                    return parse_client_message_untrusted(data)
            except Rejected as error:  # as often as errors are answered, then the channel ends
                logger.info("session %s: message refused: %s: %s", self._session_id, error.code, error)
                self.refuse(Error(error.code, str(error)))

    def refuse(self, error: Error) -> None:
        """Answer a bad message; too many of them end the channel with 1008."""
        if self._errors.take(trio.current_time()):
            self.begin_closing(POLICY_VIOLATION, "TOO_MANY_ERRORS: send valid messages")
        else:
            self.send(error)

    async def _receive(self) -> str | bytes:
        try:
            return await self._websocket.receive()
        except WebSocketClosed as closed:
            self._end_with(closed)
            raise (self._closing or closed).again() from None

    def send(self, message: SignalingMessage) -> None:
        """Queue a message; after the channel's end it is dropped. Raises ``LocalError`` if JSON cannot say it."""
        text = encode_message(message).encode()  # a str may take four bytes for each of its characters
        if self._closing is not None:
            return
        if self._answered or isinstance(message, Answer | Error | Bye):
            self._ready.append(text)
        else:
            self._held_back.append(text)
        self._queued_bytes += len(text)
        if isinstance(message, Answer):
            self._answered = True
            self._ready.extend(self._held_back)
            self._held_back.clear()
        self._check_bounds()
        self._queued.wake()

    def play(self, audio: bytes | Mark) -> int:
        """Queue a binary message, or a mark among these, behind no text: says how many had to give way to it."""
        if self._closing is not None:
            return 0
        dropped = self._audio.push(
            encode_message(audio) if isinstance(audio, Mark) else audio, self._limits.max_queued_audio
        )
        self._queued.wake()
        return int(dropped)

    def stop_playing(self) -> None:
        """Drop the binary messages that are queued, and the marks among them."""
        self._audio.clear()

    async def wait_for_room(self) -> None:
        """Wait while more than half of the queue is taken: what can wait need not overflow."""
        while self._closing is None and self._is_half_full:
            await self._sent.wait()

    @property
    def _is_half_full(self) -> bool:
        messages, size = len(self._ready) + len(self._held_back), self._queued_bytes
        limits = self._limits
        return 2 * messages > limits.max_queued_messages or 2 * size > limits.max_queued_bytes

    def _check_bounds(self) -> None:
        queued_messages = len(self._ready) + len(self._held_back)
        if queued_messages > self._limits.max_queued_messages or self._queued_bytes > self._limits.max_queued_bytes:
            logger.warning("a client does not read its signaling messages: %d are queued", queued_messages)
            self._ready.clear()
            self._sending.cancel()
            self._end_with(WebSocketClosed(TRY_AGAIN_LATER, "TOO_SLOW: read the messages that are sent"))

    def _end_with(self, closed: WebSocketClosed) -> None:
        if self._closing is None:
            self._closing = closed.again()
            self._audio.clear()
            self._sending.deadline = trio.current_time() + self._limits.flush_timeout
            self._queued.wake()
            self._sent.wake()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Send what is queued, then close the WebSocket. What was held back for an answer is dropped."""
        self.begin_closing(code, reason)
        await self._finished.wait()

    def begin_closing(self, code: int = NORMAL, reason: str = "") -> None:
        """The same without waiting: ``receive`` raises once it is done."""
        self._end_with(WebSocketClosed(code, reason))

    async def write(self) -> None:
        """Send what is queued until the channel or the WebSocket closes."""
        try:
            with self._sending:
                while self._closing is None:
                    await self._flush()
                    if self._closing is None:
                        await self._queued.wait()
                await self._flush()
            if self._closing is not None:
                await self._websocket.close(self._closing.code, self._closing.reason)
        except WebSocketClosed as closed:
            self._end_with(closed)
        finally:
            self._finished.set()

    async def _flush(self) -> None:
        while self._ready or self._audio:
            if not self._ready:
                await self._websocket.send(self._audio.popleft())
                continue
            texts = list(self._take_some())
            self._sent.wake()
            await self._websocket.send(*texts)

    def _take_some(self) -> Iterator[str]:
        """Short ones leave together, as an answer does with what has waited for it."""
        size = 0
        while self._ready and (not size or size + len(self._ready[0]) <= SENT_AT_ONCE):
            text = self._ready.popleft()
            size += len(text)
            self._queued_bytes -= len(text)
            yield text.decode()


@asynccontextmanager
async def open_signaling(
    websocket: Socket,
    limits: SignalingLimits = DEFAULT_SIGNALING_LIMITS,
    *,
    answered: bool = False,
    session_id: str = "",
    turns: Turns | None = None,
) -> AsyncIterator[SignalingChannel]:
    """A channel over this WebSocket; ``answered`` means that the client does not wait for its first answer (any more),
    and ``session_id`` is for the log. ``turns`` are those of the whole gateway.

    Leaving the block stops the sending; ``close`` first to send what is queued. What is raised inside comes out in an
    exception group.
    """
    async with trio.open_nursery() as nursery:
        channel = SignalingChannel(websocket, limits, session_id, answered=answered, turns=turns or Turns())
        nursery.start_soon(channel.write)
        yield channel
        nursery.cancel_scope.cancel()


async def reject(websocket: Socket, code: str, sentence: str) -> None:
    """Close a WebSocket that no session wants, with a reason that browsers can read (CONTRACT §2).

    ``code`` is ``TOKEN_INVALID``, ``TOKEN_EXPIRED``, ``TOKEN_USED``, ``SESSION_NOT_FOUND`` or ``TRANSPORT_MISMATCH``.
    """
    await websocket.close(POLICY_VIOLATION, f"{code}: {sentence}")
