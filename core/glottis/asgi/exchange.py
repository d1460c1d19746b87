"""One HTTP request to the gateway, in whichever event loop the application runs: asyncio's or trio's."""

import asyncio
import ssl
from typing import Final
from urllib.parse import SplitResult

import h11
import trio

from glottis.client.requests import Reply, exchange

_PORTS: Final = {"http": 80, "https": 443}


async def ask(url: SplitResult, head: h11.Request, body: bytes, seconds: float) -> Reply:
    """The gateway's response. Raises ``TimeoutError``, ``OSError`` or ``h11.RemoteProtocolError``."""
    return await (_ask_on_trio if trio.lowlevel.in_trio_run() else _ask_on_asyncio)(url, head, body, seconds)


async def _ask_on_trio(url: SplitResult, head: h11.Request, body: bytes, seconds: float) -> Reply:
    open_stream = trio.open_tcp_stream if _context(url) is None else trio.open_ssl_over_tcp_stream
    try:
        with trio.fail_after(seconds):
            async with await open_stream(url.hostname or "", _port(url)) as stream:
                return await exchange(stream, head, body)
    except trio.TooSlowError:
        raise TimeoutError from None
    except trio.BrokenResourceError as error:
        raise ConnectionError(str(error)) from error


async def _ask_on_asyncio(url: SplitResult, head: h11.Request, body: bytes, seconds: float) -> Reply:
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(url.hostname, _port(url), ssl=_context(url))
        try:
            return await exchange(_AsyncioStream(reader, writer), head, body)
        finally:
            writer.close()


class _AsyncioStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.receive_some = reader.read

    async def send_all(self, data: bytes) -> None:
        """See ``trio.abc.SendStream``."""
        self._writer.write(data)
        await self._writer.drain()


def _port(url: SplitResult) -> int:
    return url.port or _PORTS[url.scheme]


def _context(url: SplitResult) -> ssl.SSLContext | None:
    return ssl.create_default_context() if url.scheme == "https" else None
