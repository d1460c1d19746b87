"""HTTPS on real sockets: the certificate's files, strangers, and processes that pass connections on."""

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from glottis.contracts.errors import ConfigurationError
from glottis.server.http import certificates
from glottis.server.http.certificates import Certificates, complaints, load
from glottis.server.http.message import HttpLimits, Request, Response, text_response
from glottis.server.http.server import HttpServer
from glottis.server.http.siblings import Adopted, Siblings
from glottis.server.http.websocket import WebSocket
from support.tls import make_certificate

Files = tuple[Path, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make_certificate(tmp_path)


async def _answer(request: Request) -> Response:
    return text_response(200, f"{request.scheme} from {request.client_host}: {len(request.body)} bytes")


async def _echo(request: Request, websocket: WebSocket) -> None:
    await websocket.send(f"{request.scheme} {await websocket.receive()!r}")


async def _accept(request: Request) -> None:
    return None


class _Handing:
    """Of two servers in one process: what one gives away, the other has."""

    def __init__(self, *, gives: bool) -> None:
        self._gives = gives
        self.other: _Handing
        self.send, self._receive = trio.open_memory_channel[Adopted](8)

    def is_theirs(self, request: Request) -> bool:
        return self._gives

    def hand_over(self, request: Request, descriptor: int, received: bytes, peer_host: str) -> bool:
        adopted = socket.socket(fileno=os.dup(descriptor))
        self.other.send.send_nowait(Adopted(adopted, received, None, peer_host))
        return True

    async def next_adopted(self) -> Adopted:
        return await self._receive.receive()


@asynccontextmanager
async def _serving(
    files: Files, limits: HttpLimits | None = None, siblings: Siblings | None = None
) -> AsyncIterator[tuple[HttpServer, int]]:
    server = HttpServer(
        handle_request=_answer,
        handle_websocket=_echo,
        accept_websocket=_accept,
        limits=limits,
        siblings=siblings,
        certificates=Certificates(*map(str, files)),
    )
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        yield server, listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _client(port: int, trusted: Path) -> AsyncIterator[trio.SSLStream[trio.SocketStream]]:
    context = ssl.create_default_context(cafile=str(trusted))
    async with await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=context) as stream:
        yield stream


async def _all(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(piece) async for piece in stream])


async def _post(port: int, trusted: Path, body: bytes = b"") -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    async with _client(port, trusted) as client:
        await client.send_all(head.encode() + body)
        return await _all(client)


async def test_requests_are_answered_and_the_end_is_told_as_tls_has_it(files: Files) -> None:
    async with _serving(files) as (_, port):
        assert (await _post(port, files[0], bytes(50_000))).endswith(b"https from 127.0.0.1: 50000 bytes\n")


async def test_connection_goes_on_in_another_process_with_its_peers_address(files: Files) -> None:
    one, other = _Handing(gives=True), _Handing(gives=False)
    one.other = other
    async with _serving(files, siblings=one) as (front, port), _serving(files, siblings=other) as (back, _):
        assert (await _post(port, files[0], bytes(50_000))).endswith(b"https from 127.0.0.1: 50000 bytes\n")
        async with _client(port, files[0]) as client:
            await client.send_all(
                b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                b"\x81\x82\x00\x00\x00\x00hi"
            )
            received = b""
            while b"https 'hi'" not in received:
                received += bytes(await client.receive_some())
        with trio.fail_after(5):
            while front.connection_count or back.connection_count:
                await trio.lowlevel.checkpoint()


async def test_who_speaks_http_is_told_to_speak_https(files: Files) -> None:
    async with _serving(files) as (_, port), await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.send_eof()
        reply = await _all(client)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"HTTPS_ONLY" in reply


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x00\x00", b"\x16\x03\x01\x40\x00\x01"])
async def test_strangers_do_not_stay_and_nobody_else_suffers(files: Files, said: bytes) -> None:
    async with _serving(files, HttpLimits(head_timeout=1.0)) as (server, port):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stranger:
            if said:
                await stranger.send_all(said)
            with trio.fail_after(5), suppress(trio.BrokenResourceError):
                await _all(stranger)
        assert (await _post(port, files[0])).endswith(b"0 bytes\n")
        with trio.fail_after(5):
            while server.connection_count:
                await trio.lowlevel.checkpoint()


async def test_who_shakes_no_hands_gives_way(files: Files) -> None:
    async with _serving(files, HttpLimits(max_connections=8)) as (_, port):
        strangers = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(20)]
        assert (await _post(port, files[0])).endswith(b"0 bytes\n")
        for stranger in strangers:
            await stranger.aclose()


def test_renewed_files_are_found_and_spoiled_ones_change_nothing(tmp_path: Path, files: Files) -> None:
    served = Certificates(*map(str, files))
    first = served.context(0.0)
    files[1].write_text("spoiled")
    assert served.context(1.0) is first
    assert served.context(10.0) is first
    make_certificate(tmp_path)
    assert served.context(12.0) is first
    assert served.context(20.0) is not first


def test_files_that_do_not_do_are_told_by_their_keys(tmp_path: Path, files: Files) -> None:
    (tmp_path / "other").mkdir()
    certificate, key = map(str, files)
    other_key = str(make_certificate(tmp_path / "other")[1])
    for pair, expected in [
        (("/nowhere", key), r"server\.certificate: /nowhere cannot be read: No such file"),
        ((certificate, "/nowhere"), r"server\.private_key: /nowhere cannot be read"),
        ((certificate, other_key), "is not the key of"),
        ((key, key), "expected PEM"),
    ]:
        with pytest.raises(ConfigurationError, match=expected):
            load(*pair)


def test_dates_are_judged_by_a_clock_that_was_set(files: Files) -> None:
    now, name = datetime.now(UTC), str(files[0])
    assert not complaints(name, now)
    assert "has expired" in complaints(name, now + timedelta(days=3))[0]
    assert "is not valid before" in complaints(name, now - timedelta(days=3))[0]
    assert "not known" in complaints(name, datetime(1970, 1, 1, tzinfo=UTC))[0]
    assert now > certificates.EARLIEST
