"""Reads requests from a stream by way of h11, within limits of size and time."""

from typing import Final

import h11
import trio

from glottis.server.http.head import vet_lines
from glottis.server.http.message import HttpLimits, Request, reason_phrase
from glottis.server.http.problem import Problem
from glottis.server.http.turns import Turns

RECEIVE_BYTES: Final = 4096
"""Small, so that neither a head nor trailers can take much more memory than their limit before they are counted."""
MAX_FRAMING_BYTES: Final = 1024
"""What the chunks of a body may take beside their data: heads, extensions, line ends, trailers. More is a 400."""
_DATA_PER_FRAMING: Final = 16
"""Bytes of data that let a body have another byte of framing: chunks may be small at first, but not all of them."""
_METHODS_WITH_BODY: Final = ("POST", "PUT", "PATCH")


class RequestReceiver:
    """Heads and bodies from one stream. What is wrong with them is raised as ``Problem``.

    h11 takes each of its steps in a turn of its own, and is given no more lines at a time than it reads within one.
    ``keeps``: what comes of a head is kept, in case that somebody else shall read it.
    """

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, limits: HttpLimits, turns: Turns, *, keeps: bool = False
    ) -> None:
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.max_head_bytes)
        self._stream = stream
        self._limits = limits
        self._turns = turns
        self._received = 0
        self.is_unframed = False
        """Whether a body may follow whose length nobody has told: what comes behind the head is no other request."""
        self._keeps = keeps
        self._kept: bytearray | None = None
        """What has come since the request began, as long as somebody may ask for it."""

    def begin_with(self, received: bytes) -> None:
        """Bytes that somebody else has read before."""
        if received:
            self._take(received)

    def beginning(self) -> bytes:
        """All that has come since the request began whose head was read, until ``let_go``."""
        return bytes(self._kept or b"")

    def let_go(self) -> None:
        """Nobody else shall read this request."""
        self._kept = None

    async def receive_first_bytes(self) -> bool:
        """Wait for a next request to begin; False if the peer closes instead."""
        self._kept = bytearray(self.http.trailing_data[0]) if self._keeps else None
        return bool(self.http.trailing_data[0]) or await self._receive()

    async def receive_head(self, deadline: float) -> h11.Request | None:
        """The head that has begun; None if the peer closes instead."""
        before = self._consumed
        with trio.move_on_at(deadline):
            while True:
                async with self._turns:
                    vet_lines(self.http.trailing_data[0])
                    event = self._next_event()
                if event is not h11.NEED_DATA:
                    break
                await self._receive()
            if self._consumed - before > self._limits.max_head_bytes:  # h11 counts incomplete heads only
                raise Problem(431, "BAD_REQUEST", f"Send a head of at most {self._limits.max_head_bytes} bytes.")
            return event if isinstance(event, h11.Request) else None
        raise Problem(408, "TIMEOUT", f"Send the head of a request within {self._limits.head_timeout:g} seconds.")

    @property
    def _consumed(self) -> int:
        """How many bytes h11 has made into events."""
        return self._received - len(self.http.trailing_data[0])

    async def receive_body(self, request: Request) -> bytes:
        """The body that belongs to the last head."""
        self._check_announced_length(request)
        with trio.move_on_after(self._limits.body_timeout):
            if self.http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                await self._stream.send_all(self.http.send(go_on) or b"")
            return await self._receive_data()
        raise Problem(408, "TIMEOUT", f"Send the body of a request within {self._limits.body_timeout:g} seconds.")

    def _check_announced_length(self, request: Request) -> None:
        length = request.headers.get("content-length")
        if length is not None and int(length) > self._limits.max_body_bytes:
            raise self._too_large()
        # Without either there is no body (RFC 9112 §6.3); curl says so of a POST that has none.
        is_told = length is not None or "transfer-encoding" in request.headers
        self.is_unframed = not is_told and request.method in _METHODS_WITH_BODY

    async def _receive_data(self) -> bytes:
        body = bytearray()
        begins_at = self._consumed
        while True:
            async with self._turns:
                event = self._read_on(body, begins_at)
            if isinstance(event, h11.EndOfMessage):
                return bytes(body)
            if event is h11.NEED_DATA:
                await self._receive()
            elif not isinstance(event, h11.Data):
                raise Problem(400, "BAD_REQUEST", "Send the whole body of the request.")

    def _read_on(self, body: bytearray, begins_at: int) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Read what has come, but not for longer than a turn takes; returns the last event."""
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                body += event.data
            self._check_size(len(body), self._consumed - begins_at, is_mid_frame=event is h11.NEED_DATA)
            if not isinstance(event, h11.Data) or self._turns.is_over:
                return event

    def _check_size(self, data: int, consumed: int, *, is_mid_frame: bool) -> None:
        """Of a body so far: bytes of data, and of all. What h11 holds back is the head of a chunk, or trailers."""
        if data > self._limits.max_body_bytes:
            raise self._too_large()
        held_back = len(self.http.trailing_data[0]) if is_mid_frame else 0
        if held_back > MAX_FRAMING_BYTES or consumed - data > MAX_FRAMING_BYTES + data // _DATA_PER_FRAMING:
            raise Problem(400, "BAD_REQUEST", "Send the body with a Content-Length, or in larger chunks.")

    def _too_large(self) -> Problem:
        return Problem(413, "BODY_TOO_LARGE", f"Send a body of at most {self._limits.max_body_bytes} bytes.")

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self.http.next_event()
        except h11.RemoteProtocolError as error:
            # Its message quotes the input, which may hold secrets.
            status = error.error_status_hint
            raise Problem(status, "BAD_REQUEST", f"{reason_phrase(status)}: send valid HTTP/1.1.") from None

    async def _receive(self) -> bool:
        """Feed h11; False at the end of the stream."""
        try:
            data = bytes(await self._stream.receive_some(RECEIVE_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        self._received += len(data)
        if self._kept is not None:
            self._kept += data
        self.http.receive_data(data)
