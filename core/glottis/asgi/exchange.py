"""One HTTP request to the gateway, in whichever event loop the application runs: asyncio's or trio's."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import h11
import trio

from glottis.client.connection import ENCRYPTED, port_of, split_gateway_url
from glottis.client.requests import Reply, exchange

T = TypeVar("T")


async def within(seconds: float, action: Callable[[], Awaitable[T]]) -> T:
    """What it returns. Raises ``TimeoutError``, if it takes longer."""
    if not trio.lowlevel.in_trio_run():
        async with asyncio.timeout(seconds):
            return await action()
    try:
        with trio.fail_after(seconds):
            return await action()
    except trio.TooSlowError:
        raise TimeoutError from None


class Link:
    """To the gateway at a URL; ``tls`` is for one of ``https``, and None is what the system trusts.

    Raises ``LocalError`` for a URL that is none.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        self.url = split_gateway_url(url)
        self._host, self._port = self.url.hostname or "", port_of(self.url)
        self._tls = tls or ssl.create_default_context() if self.url.scheme in ENCRYPTED else None

    async def ask(self, head: h11.Request, body: bytes, seconds: float) -> Reply:
        """The gateway's response. Raises ``TimeoutError``, ``OSError`` or ``h11.RemoteProtocolError``."""
        ask = self._ask_on_trio if trio.lowlevel.in_trio_run() else self._ask_on_asyncio
        return await within(seconds, partial(ask, head, body))

    async def _ask_on_trio(self, head: h11.Request, body: bytes) -> Reply:
        try:
            stream: trio.abc.HalfCloseableStream = await trio.open_tcp_stream(self._host, self._port)
            async with self._encrypted(stream) as stream:
                return await exchange(stream, head, body)
        except trio.BrokenResourceError as error:
            raise ConnectionError(str(error)) from error

    async def _ask_on_asyncio(self, head: h11.Request, body: bytes) -> Reply:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            return await exchange(_AsyncioStream(reader, writer), head, body)
        finally:
            writer.transport.abort()  # a farewell by TLS would wait for the peer's

    def _encrypted(self, stream: Any) -> Any:
        if self._tls is None:
            return stream
        return trio.SSLStream(stream, self._tls, server_hostname=self._host, https_compatible=True)


class _AsyncioStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.receive_some = reader.read

    async def send_all(self, data: bytes) -> None:
        """See ``trio.abc.SendStream``."""
        self._writer.write(data)
        await self._writer.drain()
