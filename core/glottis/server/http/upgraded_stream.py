"""The way of a WebSocket's frames: metered, in time, and as fast as they may come."""

import math
import socket
from contextlib import suppress
from typing import Final

import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection

from glottis.contracts.errors import Malformed
from glottis.server.http.frame_meter import FrameMeter
from glottis.server.http.message import HttpLimits
from glottis.server.http.tls import TlsStream
from glottis.signaling.close_codes import POLICY_VIOLATION, TOO_LARGE
from glottis.signaling.errors import WebSocketClosed
from glottis.wire.token_bucket import TokenBucket

_CLOSE_FRAME: Final = b"\x88"
"""How a frame with FIN and the opcode of a close begins (RFC 6455 §5.2)."""
MAX_UNSENT: Final = 8 * 1024
"""Bytes of audio that wait in the kernel to be sent for the first time: a quarter of a second of PCM at 16 kHz."""
PIECE: Final = 16 * 1024
"""Bytes that are handed on at a time."""


class UpgradedStream:
    """The peer's frames after the handshake.

    Each is handed on alone, a longer one in pieces, and others have their turn before the next. Who sends more of
    them than ``limits`` allow is held back: we read more slowly, and TCP tells the peer. Who goes on for long is
    refused, and so are control frames beyond their rate, of which nobody needs many.

    ``early_bytes`` came after the head of the request. The connection stays its owner's to close.
    """

    def __init__(self, stream: trio.abc.Stream, early_bytes: bytes, limits: HttpLimits) -> None:
        self._stream = stream
        self._received = early_bytes
        self._position = 0
        """Of what was received and is not yet handed on."""
        self._limits = limits
        self._meter = FrameMeter(limits.max_message_bytes, limits.max_message_fragments)
        self._patience = limits.message_timeout
        now = trio.current_time()
        self._rate = limits.frames_per_second
        self._pieces = TokenBucket(self._rate, limits.frame_burst, now)
        self._controls = TokenBucket(limits.control_frames_per_second, limits.control_frame_burst, now)
        self._flooded_since = math.inf
        self._is_mid_frame = False
        self._close_frame_sent = False

    async def receive_piece(self, until: float) -> bytes | None:
        """What comes next, which ends with a frame at the latest: None if nothing has come until then.

        Nothing but ``b""`` comes after the end. Raises ``WebSocketClosed`` for a peer that is refused.
        """
        if self._position < len(self._received):
            await trio.lowlevel.checkpoint()
        elif (received := await self._receive_in_time(until)) is None:
            return None
        else:
            self._received, self._position = received, 0
        piece = self._next_piece()
        await self._pause()
        return piece

    def expect_audio(self) -> None:
        """Twice as many may come: browsers' audio comes in blocks of 128 samples, 375 a second.

        And little is to wait in the kernel for a network that is slow: what is there cannot be taken back.
        """
        self._rate = 2 * self._limits.frames_per_second
        self._pieces = TokenBucket(self._rate, self._limits.frame_burst, trio.current_time())
        stream = self._stream.socket_stream if isinstance(self._stream, TlsStream) else self._stream
        if isinstance(stream, trio.SocketStream):
            with suppress(OSError):  # it may be gone already, or be no TCP
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT)

    def _next_piece(self) -> bytes:
        """To the end of a frame, if that has come."""
        start, data, begun = self._position, self._received, self._meter.control_frames
        try:
            self._position = self._meter.take_untrusted(data, start)
        except Malformed as violation:
            raise WebSocketClosed(TOO_LARGE, str(violation)) from None
        if self._meter.control_frames > begun and self._controls.take(trio.current_time()):
            rate = self._limits.control_frames_per_second
            raise WebSocketClosed(POLICY_VIOLATION, f"control frames: more than {rate:g} a second")
        if self._meter.is_between_messages:
            self._patience = self._limits.message_timeout
        piece = data[start : self._position]
        if self._position == len(data):
            self._received, self._position = b"", 0
        return piece

    async def _pause(self) -> None:
        """Wait until the peer may send another piece."""
        now = trio.current_time()
        wait = self._pieces.borrow(now)
        if not wait:
            self._flooded_since = math.inf
            return
        self._flooded_since = min(self._flooded_since, now)
        if now - self._flooded_since > self._limits.flood_timeout:
            seconds = self._limits.flood_timeout
            raise WebSocketClosed(
                POLICY_VIOLATION, f"messages: more than {self._rate:g} a second for {seconds:g} seconds"
            )
        await trio.sleep(wait)

    async def _receive_in_time(self, until: float) -> bytes | None:
        """More bytes, unless a message that has begun has kept us waiting for too long, all in all."""
        waits_from = trio.current_time()
        patience = math.inf if self._meter.is_between_messages else self._patience
        with trio.move_on_at(min(until, waits_from + patience)) as scope:
            received = bytes(await self._stream.receive_some(PIECE))
        if patience < math.inf:
            self._patience -= trio.current_time() - waits_from
        if not scope.cancelled_caught:
            return received
        if trio.current_time() >= waits_from + patience:
            seconds = self._limits.message_timeout
            raise WebSocketClosed(POLICY_VIOLATION, f"message: not whole after {seconds:g} seconds")
        return None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send whole frames within ``send_timeout`` seconds: a peer that does not read is as good as gone.

        After a frame that was cut short, by that or by a cancellation, nothing more can be sent.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._is_mid_frame:
            raise trio.BrokenResourceError("the frame before was cut short")
        self._is_mid_frame = True
        with trio.move_on_after(self._limits.send_timeout) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError("the peer does not read")
        self._is_mid_frame = False
        self._close_frame_sent = self._close_frame_sent or bytes(data[:1]) == _CLOSE_FRAME

    async def send_close_frame(self, code: int, reason: str) -> None:
        """Unless one was sent, as where the peer has broken the protocol (RFC 6455 §7.1.7)."""
        if not self._close_frame_sent:
            await self.send_all(Connection(ConnectionType.SERVER).send(CloseConnection(code, reason)))
