"""Conversations with one service over a WebSocket, in JSON: what goes wrong is a ``ServiceFailed``."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import h11
import msgspec
import trio
import trio.abc
import trio_websocket
import wsproto.utilities

from glottis_services.clients import trusted
from glottis_services.errors import ServiceFailed, refusal
from glottis_services.http import FIRST_PAUSE, PASSING
from glottis_services.settings import ServiceConfig

MAX_MESSAGE: Final = 4 << 20
"""Characters; a second of audio has some ten thousand."""
CLOSE_SECONDS: Final = 1.0
"""For the service to hear that it is over."""
PING_SECONDS: Final = 15.0
"""Between looks whether the service is still there: it may say nothing for as long as it likes."""
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}

Query = Mapping[str, str | list[str]]
Connect = Callable[[], Awaitable[trio.abc.Stream]]
"""Stands in for the network in tests."""


class ServiceSocket:
    """Made by ``open_socket``."""

    def __init__(self, connection: trio_websocket.WebSocketConnection, config: ServiceConfig) -> None:
        self._connection = connection
        self._config = config

    async def send(self, message: Mapping[str, Any] | bytes) -> None:
        """JSON, or bytes as they are. Raises ``ServiceFailed`` where they are not taken."""
        data = message if isinstance(message, bytes) else msgspec.json.encode(message).decode()
        try:
            with trio.fail_after(self._config.timeout):
                await self._connection.send_message(data)
        except trio.TooSlowError:
            raise ServiceFailed(f"{self._config.place} takes nothing for {self._config.timeout:g} s") from None
        except trio_websocket.ConnectionClosed:
            raise self._ended() from None

    async def receive(self) -> bytes:
        """Its next message. Raises ``ServiceFailed`` at the end."""
        try:
            data = await self._connection.get_message()
        except trio_websocket.ConnectionClosed:
            raise self._ended() from None
        return data if isinstance(data, bytes) else data.encode("utf-8", "replace")

    async def watch(self) -> None:
        """Look again and again whether it is still there. Raises ``ServiceFailed``; for a task."""
        while True:
            await trio.sleep(PING_SECONDS)
            try:
                with trio.fail_after(self._config.timeout):
                    await self._connection.ping()
            except trio.TooSlowError:
                raise ServiceFailed(f"{self._config.place} is gone: it answers no ping") from None
            except trio_websocket.ConnectionClosed:
                raise self._ended() from None

    @property
    def close_code(self) -> int | None:
        """Why it was closed (RFC 6455 §7.4); None as long as it is open."""
        closed = self._connection.closed
        return None if closed is None else closed.code

    def _ended(self) -> ServiceFailed:
        return ServiceFailed(f"{self._config.place} has ended the conversation (code {self.close_code})")


@asynccontextmanager
async def open_socket(
    config: ServiceConfig,
    path: str,
    query: Query,
    headers: Mapping[str, str],
    connect: Connect | None = None,
) -> AsyncIterator[ServiceSocket]:
    """Connect, ``config.retries`` times again where that may help. Raises ``ServiceFailed``, also of tasks inside."""
    pause = FIRST_PAUSE
    for left in range(config.retries, -1, -1):
        is_open = False
        try:
            async with _opened(config, path, query, headers, connect) as socket:
                is_open = True
                yield socket
            return
        except _Passing as failure:
            if is_open or not left:
                raise ServiceFailed(str(failure)) from None
        await trio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        pause *= 2


class _Passing(ServiceFailed):
    """Another attempt may bring something else."""


@asynccontextmanager
async def _opened(
    config: ServiceConfig, path: str, query: Query, headers: Mapping[str, str], connect: Connect | None
) -> AsyncIterator[ServiceSocket]:
    try:
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(config.timeout):
                    stream = await (connect or _connector(config))()
                    connection = await _shake_hands(nursery, stream, config, path, query, headers)
            except trio.TooSlowError:
                late = f"opens no WebSocket within {config.timeout:g} s: check url, and that it works"
                raise _Passing(f"{config.place} {late}") from None
            if connection.closed is not None:
                raise _Passing(f"{config.place} takes no WebSocket: check url")
            try:
                yield ServiceSocket(connection, config)
            finally:
                with trio.move_on_after(CLOSE_SECONDS, shield=True):
                    await connection.aclose()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _reason(group, config) from None


async def _shake_hands(
    nursery: trio.Nursery,
    stream: trio.abc.Stream,
    config: ServiceConfig,
    path: str,
    query: Query,
    headers: Mapping[str, str],
) -> trio_websocket.WebSocketConnection:
    url = urlsplit(config.url)
    resource = (url.path.rstrip("/") + path if path else url.path) + (
        f"?{urlencode(query, doseq=True)}" if query else ""
    )
    others = {name: value.reveal().strip() for name, value in config.headers.items()}
    wanted = {**headers, **others}
    if not all(text.isascii() and text.isprintable() for line in wanted.items() for text in line):
        raise ServiceFailed(f"{config.place} cannot be asked: api_key and headers must be printable ASCII")
    lines = [(name.encode(), value.encode()) for name, value in wanted.items()]
    return await trio_websocket.wrap_client_stream(
        nursery,
        stream,  # type: ignore[arg-type]
        url.netloc,
        resource or "/",
        extra_headers=lines,
        max_message_size=MAX_MESSAGE,
    )


def _connector(config: ServiceConfig) -> Connect:
    url = urlsplit(config.url)
    host = url.hostname or ""

    async def connect() -> trio.abc.Stream:
        try:
            stream = await trio.open_tcp_stream(host, url.port or _PORTS[url.scheme])
            if url.scheme in ("http", "ws"):
                return stream
            trust = await trio.to_thread.run_sync(trusted)
            encrypted = trio.SSLStream(stream, trust, server_hostname=host, https_compatible=True)
            await encrypted.do_handshake()
        except (OSError, trio.BrokenResourceError) as error:
            raise _Passing(f"{config.place} cannot be reached ({type(error).__name__}): check url") from None
        return encrypted

    return connect


def _reason(group: BaseExceptionGroup[BaseException], config: ServiceConfig) -> BaseException:
    """What has happened, where one thing has; several tasks may have met with it."""
    leaves = list(_leaves(group))
    if any(isinstance(error, GeneratorExit) for error in leaves):
        return GeneratorExit()  # of an async generator in which this is open
    for error in leaves:
        if isinstance(error, h11.ProtocolError | wsproto.utilities.ProtocolError):
            return _Passing(f"{config.place} answers as no WebSocket does: check url and the names of headers")
        if isinstance(error, trio_websocket.ConnectionRejected):
            refused = refusal(config.place, error.status_code, error.body or b"")
            return _Passing(str(refused)) if error.status_code in PASSING else refused
    of_service = [error for error in leaves if isinstance(error, ServiceFailed)]
    return of_service[0] if of_service and len(of_service) == len(leaves) else group


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    elif not isinstance(error, trio.Cancelled):
        yield error
