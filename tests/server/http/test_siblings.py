"""A connection goes on in the process that its request is for, with what was read of it."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio_websocket
from glottis.server.http.entry import Entry
from glottis.server.http.message import HttpLimits, Request, Response, text_response
from glottis.server.http.problem import Problem
from glottis.server.http.server import HttpServer
from glottis.server.http.siblings import Adopted
from glottis.server.http.websocket import WebSocket
from support.phone import eventually


class Sibling:
    """A server that answers with its name; what is below ``/other`` is for the other one."""

    def __init__(self, name: str, prefix: str, limits: HttpLimits | None = None) -> None:
        self.name = name
        self.other: Sibling
        self.takes = True
        self.handed: list[bytes] = []
        self.has_room = True
        self._prefix = prefix
        self.send, self._receive = trio.open_memory_channel[Adopted](8)
        self.http = HttpServer(
            handle_request=self._answer,
            handle_websocket=self._talk,
            accept_websocket=self._accept,
            limits=limits,
            siblings=self,
        )

    async def _answer(self, request: Request) -> Response:
        if not self.has_room:
            raise Problem(503, "FULL", f"{self.name} is full.", is_of_process=True)
        return text_response(200, f"{self.name} {request.path} {request.body.decode()}")

    async def _accept(self, request: Request) -> None:
        return None

    async def _talk(self, request: Request, websocket: WebSocket) -> None:
        await websocket.send(f"{self.name} {await websocket.receive()!r}")

    def is_theirs(self, request: Request) -> bool:
        return request.path.startswith(self._prefix)

    def hand_over(self, request: Request, descriptor: int, received: bytes, peer_host: str) -> bool:
        if self.takes:
            self.handed.append(received)
            tried = () if request.entry is None else (*request.entry.tried, len(self.name))
            entry = Entry(may_move=not tried, tried=tried)
            adopted = socket.socket(fileno=socket.dup(descriptor))
            self.other.send.send_nowait(Adopted(adopted, received, entry, peer_host))
        return self.takes

    async def next_adopted(self) -> Adopted:
        return await self._receive.receive()


@asynccontextmanager
async def open_siblings(limits: HttpLimits | None = None) -> AsyncIterator[tuple[Sibling, Sibling, trio.SocketStream]]:
    """Two of them, and a client of the first; the second listens to nobody."""
    one, two = Sibling("one", "/two"), Sibling("two", "/one", limits)
    one.other, two.other = two, one
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(one.http.serve, [listener])
        nursery.start_soon(two.http.serve, [])
        async with await trio.open_tcp_stream(*listener.socket.getsockname()) as client:
            yield one, two, client
        nursery.cancel_scope.cancel()


def post(path: str, body: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


async def reply(client: trio.SocketStream) -> str:
    """The last line of the next response."""
    received = b""
    while not received.endswith(b"\n") or received.endswith(b"\r\n"):
        received += await client.receive_some() or b" closed\n"
    return received.decode().splitlines()[-1]


async def test_a_keep_alive_connection_goes_to_and_fro_with_each_request() -> None:
    async with open_siblings() as (one, two, client):
        for path in ("/one/a", "/two/b", "/two/c", "/one/d", "/two/e"):
            await client.send_all(post(path, "x" * 3000))
            assert await reply(client) == f"{path[1:4]} {path} {'x' * 3000}"
        assert len(one.handed) == 2
        assert len(two.handed) == 1
        assert one.http.connection_count + two.http.connection_count == 1


async def test_what_was_read_goes_along_be_it_part_of_a_body_or_the_next_request() -> None:
    async with open_siblings() as (one, _, client):
        whole = post("/two/a", "half and half") + post("/two/b", "piped")
        await client.send_all(whole[:-65])
        await eventually(lambda: one.handed)
        await client.send_all(whole[-65:])
        replies = b""  # which may come together
        while replies.count(b"\ntwo ") < 2:
            replies += await client.receive_some()
        assert re.findall("two .*", replies.decode()) == ["two /two/a half and half", "two /two/b piped"]
        assert whole.startswith(one.handed[0])


async def test_a_head_in_pieces_is_handed_over_whole() -> None:
    async with open_siblings() as (one, _, client):
        for at in range(0, 200, 7):
            await client.send_all(post("/two/slow", "x" * 150)[at : at + 7])
            await trio.testing.wait_all_tasks_blocked()
        assert one.handed[0].startswith(b"POST /two/slow HTTP/1.1\r\nhost: here\r\n")
        await client.send_all(post("/two/slow", "x" * 150)[203:])
        assert (await reply(client)).startswith("two /two/slow x")


async def test_a_websocket_opens_in_the_other_process_with_a_frame_that_came_early() -> None:
    async with open_siblings() as (one, _, client), trio.open_nursery() as nursery:
        connection = await trio_websocket.wrap_client_stream(nursery, client, "here", "/two/ws")
        await connection.send_message("hello")
        assert await connection.get_message() == "two 'hello'"
        await connection.aclose()
        assert len(one.handed) == 1
        assert one.http.connection_count == 0
        nursery.cancel_scope.cancel()


async def test_who_cannot_be_handed_over_is_served_where_it_is() -> None:
    async with open_siblings() as (one, _, client):
        one.takes = False
        await client.send_all(post("/two/a", "x"))
        assert await reply(client) == "one /two/a x"


async def test_who_has_no_room_passes_a_request_on_with_its_body_and_what_came_after_it() -> None:
    async with open_siblings() as (_, two, client):
        two.has_room = False
        await client.send_all(post("/two/a", "x" * 9000) + post("/one/b", "y"))
        replies = b""  # which may come together
        while replies.count(b"\none ") < 2:
            replies += await client.receive_some()
        assert re.findall("one .*", replies.decode()) == [f"one /two/a {'x' * 9000}", "one /one/b y"]
        assert len(two.handed) == 1


async def test_a_request_that_was_passed_on_is_answered_by_the_last_one_be_it_with_a_refusal() -> None:
    async with open_siblings() as (one, two, client):
        one.has_room = two.has_room = False
        await client.send_all(post("/two/a", "x"))
        refusal = b""
        while b"one is full." not in refusal:
            refusal += await client.receive_some()
        assert [len(one.handed), len(two.handed)] == [1, 1]
        one.has_room = True
        await client.send_all(post("/one/b", "y"))
        assert await reply(client) == "one /one/b y"


async def test_an_adopted_connection_has_a_place_to_which_others_give_way() -> None:
    async with (
        open_siblings(HttpLimits(max_connections=1)) as (one, two, client),
        await trio.open_tcp_stream(*client.socket.getpeername()) as slow,
    ):
        await slow.send_all(post("/two/slow", "x")[:-1])
        await eventually(lambda: two.http.connection_count)
        await client.send_all(post("/two/a", "x"))
        assert await reply(client) == "two /two/a x"
        assert await slow.receive_some() == b""
        assert len(one.handed) == 2


async def test_who_stops_listening_still_takes_what_is_handed_over() -> None:
    async with open_siblings() as (one, two, client):
        two.http.stop_listening()
        await trio.testing.wait_all_tasks_blocked()
        await client.send_all(post("/two/a", "x"))
        assert await reply(client) == "two /two/a x"
        one.http.stop_listening()
        await trio.testing.wait_all_tasks_blocked()
        await client.send_all(post("/one/b", "y"))
        assert await reply(client) == "one /one/b y"
