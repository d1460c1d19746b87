"""HTTPS on the listening socket: the stream, its handshake, and how it passes on to another process (RFC 8446)."""

import socket
import ssl
from typing import Final

import trio

from glottis.server.http.certificates import Certificates
from glottis.server.http.message import HttpLimits, closing_response
from glottis.server.http.problem import Problem

HANDSHAKE: Final = b"\x16"
"""The content type that a TLS connection begins with; no method of HTTP does (RFC 8446 §5.1)."""
PIECE: Final = 16 * 1024


class _KeptOpen(trio.abc.Stream):
    """What TLS is given to close, while what its peer still sends is to be read."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class TlsStream(trio.abc.HalfCloseableStream):
    """A server's. After ``send_eof`` what is received is ciphertext, and only to be discarded: there is no half-close.

    Errors of TLS are ``trio.BrokenResourceError``, as those of the socket are.
    """

    def __init__(self, socket_stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        self.socket_stream: Final = socket_stream
        self._tls = trio.SSLStream(_KeptOpen(socket_stream), context, server_side=True)
        self._has_sent_eof = False

    async def handshake(self) -> None:
        """To be called once, before all else."""
        await self._tls.do_handshake()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._has_sent_eof:
            return await self.socket_stream.receive_some(max_bytes)
        return await self._tls.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._tls.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._tls.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        if not self._has_sent_eof:
            self._has_sent_eof = True
            await self._tls.aclose()  # says close_notify, and waits for nothing
            await self.socket_stream.send_eof()

    async def aclose(self) -> None:
        await self.socket_stream.aclose()


async def begin_tls(stream: trio.SocketStream, certificates: Certificates, limits: HttpLimits) -> TlsStream | None:
    """Within the time for a request's head; None if the peer is no client of TLS, or too slow.

    Who speaks HTTP hears what to do: that port has no other answer to it.
    """
    with trio.move_on_after(limits.head_timeout):
        await trio.lowlevel.wait_readable(stream.socket)
        first = await stream.socket.recv(1, socket.MSG_PEEK)
        if first == HANDSHAKE:
            tls = TlsStream(stream, certificates.context(trio.current_time()))
            await tls.handshake()
            return tls
        if first.isalpha():
            problem = Problem(400, "HTTPS_ONLY", "This port serves HTTPS: use https:// and wss:// in its URLs.")
            await stream.send_all(closing_response(problem.response()))
            await stream.send_eof()
            while await stream.receive_some(PIECE):
                pass
    return None


async def relay(outer: TlsStream, inner: trio.SocketStream, limits: HttpLimits) -> None:
    """Until the process at the other end of ``inner`` is done: keys cannot go to it, as a descriptor can.

    It is that process which knows what the connection is about, and has all limits but that on a peer that reads
    nothing: bytes are only held back here.
    """

    async def take_in() -> None:
        try:
            while data := await outer.receive_some(PIECE):
                await inner.send_all(data)
            await inner.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await inner.aclose()

    async with inner, trio.open_nursery() as nursery:
        nursery.start_soon(take_in)
        try:
            while data := await inner.receive_some(PIECE):
                with trio.fail_after(limits.send_timeout):
                    await outer.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        nursery.cancel_scope.cancel()
