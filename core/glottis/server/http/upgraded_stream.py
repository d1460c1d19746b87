"""What trio-websocket is given in place of the TCP connection, so that no peer can bring it out of step."""

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


class UpgradedStream(trio.abc.Stream):
    """First a handshake of our own making, then the peer's frames, metered, and as fast as they may come.

    Each frame is handed on alone, a longer one in pieces, and others have their turn before the next. Who sends more of
    them than ``limits`` allow is held back: we read more slowly, and TCP tells the peer. Who goes on for long is
    refused, and so are control frames beyond their rate, of which nobody needs many.

    wsproto never sees the peer's head: some heads make it raise what nobody expects. ``early_bytes``, which came after
    that head, are kept until it is answered. ``aclose`` leaves the connection open, for a last close frame and for
    lingering.
    """

    def __init__(self, stream: trio.abc.Stream, key: str, early_bytes: bytes, limits: HttpLimits) -> None:
        self._stream = stream
        self._handshake = (
            "GET / HTTP/1.1\r\nHost: glottis\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()
        self._answered = trio.Event()
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
        self._is_pausing = False
        self._closed = False
        self._is_mid_frame = False
        self.refusal: WebSocketClosed | None = None
        """Why no more of the peer's bytes are taken."""
        self.close_frame_sent = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._handshake:
            handshake, self._handshake = self._handshake, b""
            await trio.lowlevel.checkpoint()
            return handshake
        await self._answered.wait()
        if self._closed:
            raise trio.ClosedResourceError
        if self._position < len(self._received):
            await trio.lowlevel.checkpoint()
        else:
            self._received, self._position = await self._receive_in_time(max_bytes), 0
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

    @property
    def holds_back(self) -> bool:
        """Whether there is more that the peer has sent than was handed on."""
        return self._is_pausing or self._position < len(self._received)

    def _next_piece(self) -> bytes:
        """To the end of a frame, if that has come."""
        start, data, begun = self._position, self._received, self._meter.control_frames
        try:
            self._position = self._meter.take_untrusted(data, start)
        except Malformed as violation:
            raise self._refuse(TOO_LARGE, str(violation)) from None
        if self._meter.control_frames > begun and self._controls.take(trio.current_time()):
            rate = self._limits.control_frames_per_second
            raise self._refuse(POLICY_VIOLATION, f"control frames: more than {rate:g} a second")
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
            raise self._refuse(POLICY_VIOLATION, f"messages: more than {self._rate:g} a second for {seconds:g} seconds")
        self._is_pausing = True
        await trio.sleep(wait)
        self._is_pausing = False

    async def _receive_in_time(self, max_bytes: int | None) -> bytes:
        """More bytes, unless a message that has begun has kept us waiting for too long, all in all."""
        waits_from = trio.current_time()
        may_be_idle = self._meter.is_between_messages
        with trio.move_on_after(math.inf if may_be_idle else self._patience):
            data = bytes(await self._stream.receive_some(max_bytes))
            if not may_be_idle:
                self._patience -= trio.current_time() - waits_from
            return data
        raise self._refuse(POLICY_VIOLATION, f"message: not whole after {self._limits.message_timeout:g} seconds")

    def _refuse(self, code: int, reason: str) -> trio.BrokenResourceError:
        """What to raise, so that the library stops reading."""
        self.refusal = WebSocketClosed(code, reason)
        return trio.BrokenResourceError(reason)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send a whole frame within ``send_timeout`` seconds: a peer that does not read is as good as gone.

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
        self._answered.set()
        self.close_frame_sent = self.close_frame_sent or bytes(data[:1]) == _CLOSE_FRAME

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self._closed = True
        await trio.lowlevel.checkpoint()

    async def send_close_frame(self, code: int, reason: str) -> None:
        """Send the close frame that trio-websocket leaves out when the peer breaks the protocol (RFC 6455 §7.1.7)."""
        if not self.close_frame_sent:
            await self.send_all(Connection(ConnectionType.SERVER).send(CloseConnection(code, reason)))
