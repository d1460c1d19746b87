"""A raw HTTP client over memory, for connections that no real client would make."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import h11
import pytest
import trio
import trio.testing
import trio_websocket
from glottis.server.http.message import HttpLimits, Request, Response, text_response
from glottis.server.http.server import HttpServer
from glottis.server.http.websocket import WebSocket


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """Sends bytes as they are, and reads responses. In text, surrogate escapes are bytes that are no UTF-8."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT)

    async def send(self, data: bytes | str) -> None:
        await self.stream.send_all(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)

    async def reply(self, method: str = "GET") -> Reply:
        """The next response; ``method`` is that of its request, for a HEAD has no body."""
        if self.http.our_state is h11.DONE:
            self.http.start_next_cycle()
        if self.http.our_state is h11.IDLE:
            self.http.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
            self.http.send(h11.EndOfMessage())
        status, headers, body = 0, {}, b""
        while not isinstance(event := self.http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                self.http.receive_data(bytes(await self.stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.InformationalResponse), f"{event!r} instead of a response"
        return Reply(status, headers, bytes(body))

    async def request(self, method: str, target: str, *, body: bytes | None = None, **fields: str) -> Reply:
        """One exchange; underscores in names of header fields stand for hyphens."""
        lines = [f"{method} {target} HTTP/1.1", *([] if "host" in fields else ["Host: gateway.example"])]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        lines += [] if body is None else [f"Content-Length: {len(body)}"]
        await self.send("\r\n".join([*lines, "", (body or b"").decode("utf-8", "surrogateescape")]))
        return await self.reply(method)

    async def closed(self) -> bool:
        """Whether the server closes now, without another byte."""
        with trio.move_on_after(5):
            try:
                return await self.stream.receive_some() == b"" and not self.http.trailing_data[0]
            except trio.BrokenResourceError:
                return True
        return False

    async def upgrade(self, target: str = "/ws", **fields: str) -> Reply:
        """Ask for a WebSocket; a reply of status 101 means yes, and frames follow."""
        key = base64.b64encode(bytes(16)).decode()
        defaults = {"host": "gateway.example", "upgrade": "websocket", "connection": "Upgrade"}
        defaults |= {"sec-websocket-key": key, "sec-websocket-version": "13"}
        defaults |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"GET {target} HTTP/1.1", *[f"{name}: {value}" for name, value in defaults.items() if value]]
        await self.send("\r\n".join([*lines, "", ""]))
        return await self._upgraded()

    async def _upgraded(self) -> Reply:
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = await self.stream.receive_some(1)
            assert chunk, "closed during the handshake"
            data += chunk
        status = int(data.split()[1])
        length = data.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        body = b""
        while len(body) < int(length or b"0"):
            body += await self.stream.receive_some()
        return Reply(status, {}, body)

    async def frame(self) -> tuple[int, bytes]:
        """The opcode and payload of the next frame from the server; (8, b'') also if it just closes."""
        head = await self._exactly(2)
        if len(head) < 2:
            return 8, b""
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(await self._exactly(2 if length == 126 else 8), "big")
        return head[0] & 0x0F, await self._exactly(length)

    async def close_code(self) -> int:
        """The code of the close frame that comes, after whatever else comes before it."""
        return (await self.close_reason())[0]

    async def close_reason(self) -> tuple[int, str]:
        """Code and reason of the close frame that comes, after whatever else comes before it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (chunk := await self.stream.receive_some(count - len(data))):
            data += chunk
        return data


def masked_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    length = len(payload)
    if length < 126:
        size = bytes([length])
    else:
        size = b"\x7e" + length.to_bytes(2, "big") if length < 65536 else b"\x7f" + length.to_bytes(8, "big")
    return bytes([(0x80 if fin else 0) | opcode, size[0] | 0x80]) + size[1:] + bytes(4) + payload


@dataclass
class Site:
    """What a test's server does: it answers requests with their path, and echoes WebSocket messages."""

    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Awaitable[Response]] | None = None
    talk: Callable[[Request, WebSocket], Awaitable[None]] | None = None
    refusal: Response | None = None

    async def handle_request(self, request: Request) -> Response:
        self.requests.append(request)
        return await self.answer(request) if self.answer else text_response(200, request.path)

    async def accept_websocket(self, request: Request) -> Response | None:
        return self.refusal

    async def handle_websocket(self, request: Request, websocket: WebSocket) -> None:
        self.requests.append(request)
        if self.talk is not None:
            return await self.talk(request, websocket)
        while True:
            await websocket.send(await websocket.receive())

    def server(
        self, limits: HttpLimits | None = None, trusted_proxies: tuple[str, ...] = (), **parts: Any
    ) -> HttpServer:
        return HttpServer(
            handle_request=self.handle_request,
            handle_websocket=self.handle_websocket,
            accept_websocket=self.accept_websocket,
            limits=limits,
            trusted_proxies=trusted_proxies,
            **parts,
        )


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def frame() -> Callable[..., bytes]:
    return masked_frame


@pytest.fixture
def connect(nursery: trio.Nursery) -> Callable[[HttpServer], RawClient]:
    """Makes a connection to a server over memory."""

    def connect(server: HttpServer) -> RawClient:
        client, served = trio.testing.memory_stream_pair()
        nursery.start_soon(server.serve_connection, served)
        return RawClient(client)

    return connect


@pytest.fixture
async def connect_by_tcp(nursery: trio.Nursery) -> AsyncIterator[Callable[[HttpServer], Awaitable[RawClient]]]:
    """The same from 127.0.0.1."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, AsyncExitStack() as streams:

        async def connect(server: HttpServer) -> RawClient:
            client = await trio.open_tcp_stream(*listener.socket.getsockname())
            nursery.start_soon(server.serve_connection, await listener.accept())
            return RawClient(await streams.enter_async_context(client))

        yield connect


@pytest.fixture
def open_client_websocket(
    nursery: trio.Nursery,
) -> Callable[[HttpServer], Awaitable[trio_websocket.WebSocketConnection]]:
    """Opens a WebSocket to a server over memory with a correct client."""

    async def open_client_websocket(server: HttpServer, target: str = "/ws") -> trio_websocket.WebSocketConnection:
        client, served = trio.testing.memory_stream_pair()
        nursery.start_soon(server.serve_connection, served)
        stream = cast("trio.SocketStream", client)  # any stream will do
        return await trio_websocket.wrap_client_stream(nursery, stream, "gateway.example", target)

    return open_client_websocket
