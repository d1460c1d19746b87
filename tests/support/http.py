"""HTTP requests to a gateway that runs in the test's own event loop."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import h11
import trio
from glottis.server.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Reply:
    """Of an HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body."""
        result: dict[str, Any] = json.loads(self.body)
        return result


Connect = Callable[[str, int], Awaitable[trio.abc.HalfCloseableStream]]
"""Opens a connection to a host and port."""


async def request(
    gateway: Gateway,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    connect: Connect = trio.open_tcp_stream,
    **headers: str,
) -> Reply:
    """One HTTP exchange on a connection of its own; underscores in header names stand for hyphens."""
    host, port = urlsplit(gateway.url).hostname or "", urlsplit(gateway.url).port or 0
    fields = {"host": f"{host}:{port}", "content_length": str(len(body)), "connection": "close"} | headers
    http = h11.Connection(h11.CLIENT)
    async with await connect(host, port) as stream:
        head = h11.Request(
            method=method, target=path, headers=[(name.replace("_", "-"), value) for name, value in fields.items()]
        )
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            await stream.send_all(http.send(event) or b"")
        return await _reply(http, stream)


async def _reply(http: h11.Connection, stream: trio.abc.HalfCloseableStream) -> Reply:
    status, headers, body = 0, dict[str, str](), b""
    while not isinstance(event := http.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return Reply(status, headers, body)


async def initiate(
    gateway: Gateway, campaign: str = "echo", *, connect: Connect = trio.open_tcp_stream, **fields: Any
) -> Reply:
    """Ask for a session."""
    body = json.dumps({"campaignId": campaign, **fields}).encode()
    path = "/api/websession/initiate"
    return await request(gateway, "POST", path, body, connect=connect, content_type="application/json")
