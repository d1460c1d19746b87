"""What trio-websocket is given in place of the TCP connection, so that no peer can bring it out of step."""

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Final

import trio

from glottis.contracts.errors import Malformed
from glottis.server.http.problem import Problem

_CONTROL_FRAME: Final = 0x08
_FIN: Final = 0x80
_CLOSE_FRAME: Final = _FIN | 0x08
_LENGTH: Final = 0x7F
_EXTENDED_LENGTHS: Final = {126: 2, 127: 8}
_MASKED: Final = 0x80


def wants_websocket(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request asks to become a WebSocket (RFC 6455 §4.2.1)."""
    return method == "GET" and "websocket" in _tokens(headers.get("upgrade", ""))


def websocket_key(headers: Mapping[str, str], http_version: str) -> str:
    """The key of a correct opening handshake (RFC 6455 §4.2.1); raises ``Problem``."""
    if http_version != "1.1" or "upgrade" not in _tokens(headers.get("connection", "")):
        raise Problem(400, "BAD_HANDSHAKE", "A WebSocket needs HTTP/1.1 and the header 'Connection: Upgrade'.")
    if headers.get("sec-websocket-version") != "13":
        version = (("sec-websocket-version", "13"),)
        raise Problem(426, "UNSUPPORTED_WEBSOCKET_VERSION", "Use version 13 of the WebSocket protocol.", version)
    key = headers.get("sec-websocket-key", "")
    try:
        length = len(base64.b64decode(key, validate=True))
    except binascii.Error:
        length = 0
    if length != 16:
        raise Problem(400, "BAD_HANDSHAKE", "Sec-WebSocket-Key must be the base64 form of 16 bytes.")
    return key


def _tokens(value: str) -> list[str]:
    return [token.strip().lower() for token in value.split(",")]


class Late(Malformed):
    """A message that was begun is not whole in time."""


class FrameMeter:
    """Follows the frames in a byte stream (RFC 6455 §5.2) without keeping them; refuses costly messages.

    trio-websocket counts a text's characters, not its bytes, and gathers empty fragments without end.
    """

    def __init__(self, max_message_bytes: int, max_message_fragments: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._max_message_fragments = max_message_fragments
        self._header = bytearray()
        self._payload_left = 0
        self._message_bytes = 0
        self._message_fragments = 0

    @property
    def is_between_messages(self) -> bool:
        """Whether nothing has begun: no message, and no control frame."""
        return not (self._header or self._payload_left or self._message_fragments)

    def feed_untrusted(self, data: bytes) -> bool:
        """Take the next bytes, and say whether what had begun ended in them.

        Raises ``Malformed`` as soon as a header announces too long a message.
        """
        position = 0
        ended = False
        while position < len(data):
            if self._payload_left:
                skipped = min(self._payload_left, len(data) - position)
                self._payload_left -= skipped
                position += skipped
            else:
                self._header.append(data[position])
                position += 1
                if len(self._header) == self._header_length():
                    self._begin_frame()
                    self._header.clear()
            ended = ended or self.is_between_messages
        return ended

    def _header_length(self) -> int:
        if len(self._header) < 2:
            return 2
        mask = 4 if self._header[1] & _MASKED else 0
        return 2 + _EXTENDED_LENGTHS.get(self._header[1] & _LENGTH, 0) + mask

    def _begin_frame(self) -> None:
        length = self._header[1] & _LENGTH
        if length in _EXTENDED_LENGTHS:
            length = int.from_bytes(self._header[2 : 2 + _EXTENDED_LENGTHS[length]], "big")
        self._payload_left = length
        if not self._header[0] & _CONTROL_FRAME:
            self._count(length, final=bool(self._header[0] & _FIN))

    def _count(self, length: int, *, final: bool) -> None:
        self._message_bytes += length
        self._message_fragments += 1
        if self._message_bytes > self._max_message_bytes:
            raise Malformed(f"message: longer than {self._max_message_bytes} bytes")
        if self._message_fragments > self._max_message_fragments:
            raise Malformed(f"message: more than {self._max_message_fragments} fragments")
        if final:
            self._message_bytes = self._message_fragments = 0


class UpgradedStream(trio.abc.Stream):
    """First a handshake of our own making, then the peer's frames, metered.

    wsproto never sees the peer's head: some heads make it raise what nobody expects. Bytes that the peer sent before it
    was answered are kept until then. ``aclose`` leaves the connection open, for a last close frame and for lingering.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        key: str,
        early_bytes: bytes,
        meter: FrameMeter,
        *,
        send_timeout: float,
        message_timeout: float,
    ) -> None:
        self._stream = stream
        self._handshake = (
            "GET / HTTP/1.1\r\nHost: glottis\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()
        self._early_bytes = early_bytes
        self._meter = meter
        self._send_timeout = send_timeout
        self._message_timeout = message_timeout
        self._patience = message_timeout
        self._closed = False
        self._is_mid_frame = False
        self.accepted = trio.Event()
        """To be set when the handshake is answered."""
        self.violation: Malformed | None = None
        """What the peer did that its message was refused for."""
        self.close_frame_sent = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._handshake:
            handshake, self._handshake = self._handshake, b""
            await trio.lowlevel.checkpoint()
            return handshake
        await self.accepted.wait()
        if self._closed:
            raise trio.ClosedResourceError
        data, self._early_bytes = self._early_bytes, b""
        try:
            data = data or await self._receive_in_time(max_bytes)
            if self._meter.feed_untrusted(data):
                self._patience = self._message_timeout
        except Malformed as violation:
            self.violation = violation
            raise trio.BrokenResourceError from None
        return data

    async def _receive_in_time(self, max_bytes: int | None) -> bytes:
        """More bytes; raises ``Late`` if a message that has begun has kept us waiting for too long, all in all."""
        waits_from = trio.current_time()
        may_be_idle = self._meter.is_between_messages
        with trio.move_on_after(math.inf if may_be_idle else self._patience):
            data = bytes(await self._stream.receive_some(max_bytes))
            if not may_be_idle:
                self._patience -= trio.current_time() - waits_from
            return data
        raise Late(f"message: not whole after {self._message_timeout:g} seconds")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send within ``send_timeout`` seconds: a peer that does not read is as good as gone."""
        with trio.move_on_after(self._send_timeout) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            self._is_mid_frame = True
            raise trio.BrokenResourceError("the peer does not read")
        self.close_frame_sent = self.close_frame_sent or bytes(data[:1]) == bytes([_CLOSE_FRAME])

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        self._closed = True
        await trio.lowlevel.checkpoint()

    async def send_close_frame(self, code: int, reason: bytes) -> None:
        """Send the close frame that trio-websocket leaves out when the peer breaks the protocol (RFC 6455 §7.1.7)."""
        if not self.close_frame_sent and not self._is_mid_frame:
            await self.send_all(bytes([_CLOSE_FRAME, 2 + len(reason)]) + code.to_bytes(2, "big") + reason)
