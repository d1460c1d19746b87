"""A caller that has reason to doubt its WebSocket finds out whether the gateway still is at its other end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio_websocket
from glottis.client.signaling import LOOK, PROBE_TIME, ClientSignaling
from glottis.signaling.close_codes import ABNORMAL
from glottis.signaling.errors import WebSocketClosed
from glottis.signaling.messages import Text, encode_message
from trio.testing import MemoryReceiveStream, MockClock, memory_stream_pair


class Line:
    """A caller's signaling, and the gateway's end of its WebSocket."""

    def __init__(
        self, signaling: ClientSignaling, gateway: trio_websocket.WebSocketConnection, inward: MemoryReceiveStream
    ) -> None:
        self.signaling = signaling
        self.gateway = gateway
        self._inward = inward

    def go_dead(self) -> None:
        """What the caller sends arrives nowhere, and no one says so."""
        self._inward.receive_some_hook = trio.sleep_forever


@asynccontextmanager
async def open_line(local_host: str = "") -> AsyncIterator[Line]:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        ends: dict[str, trio_websocket.WebSocketConnection] = {}

        async def accept() -> None:
            request = await trio_websocket.wrap_server_stream(nursery, theirs)
            ends["gateway"] = await request.accept()

        nursery.start_soon(accept)
        connection = await trio_websocket.wrap_client_stream(nursery, ours, "gateway", "/")  # type: ignore[arg-type]
        await trio.testing.wait_all_tasks_blocked()
        signaling = ClientSignaling(connection, nursery.cancel_scope, local_host=local_host)
        assert isinstance(theirs.receive_stream, MemoryReceiveStream)
        yield Line(signaling, ends["gateway"], theirs.receive_stream)
        nursery.cancel_scope.cancel()


async def test_who_answers_is_there(autojump_clock: MockClock) -> None:
    async with open_line() as line:
        await line.signaling.probe()
        await line.gateway.send_message(encode_message(Text("still here")))
        assert await line.signaling.receive() == Text("still here")


async def test_who_does_not_answer_is_lost_within_a_moment(autojump_clock: MockClock) -> None:
    async with open_line() as line, trio.open_nursery() as nursery:
        line.go_dead()
        await line.signaling.probe()  # the reader of the far end takes one more message, and no other
        began = trio.current_time()
        nursery.start_soon(line.signaling.probe)
        with pytest.raises(WebSocketClosed) as closed:
            await line.signaling.receive()
        assert closed.value.code == ABNORMAL
        assert trio.current_time() - began <= PROBE_TIME


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])  # which nobody has (RFC 5737, RFC 3849)
async def test_what_came_from_an_address_that_the_machine_has_no_more_is_lost_at_once(
    host: str, autojump_clock: MockClock
) -> None:
    async with open_line(host) as line, trio.open_nursery() as nursery:
        nursery.start_soon(line.signaling.watch)
        started_at = trio.current_time()
        with pytest.raises(WebSocketClosed, match="connection lost") as raised:
            await line.signaling.receive()
        assert raised.value.code == ABNORMAL
        assert trio.current_time() == started_at


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1"])
async def test_as_long_as_the_machine_has_the_address_nothing_is_lost(host: str, autojump_clock: MockClock) -> None:
    async with open_line(host) as line:
        with trio.move_on_after(10 * LOOK) as looking:
            await line.signaling.watch()
        assert looking.cancelled_caught
        await line.gateway.send_message(encode_message(Text("still here")))
        assert await line.signaling.receive() == Text("still here")
