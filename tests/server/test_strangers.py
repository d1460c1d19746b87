"""What strangers do to the TCP port of a running gateway, and what it must not do to others."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis.server.http.turns import Turns
from glottis.server.sessions.times import DEFAULT_TIMES
from glottis.signaling.messages import Text
from glottis.signaling.session_request import INITIATE_PATH
from support.gateway import CONFIG, open_test_gateway
from support.http import request
from support.memory import HTTP_PORT, open_memory_exchange
from support.phone import Exchange, eventually

INITIATE = f"POST {INITIATE_PATH} HTTP/1.{{}}\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BODY = b'{"campaignId": "echo"}'
BEGUN = {
    "nothing": b"",
    "half a head": INITIATE.format(1).encode(),
    "a head without its body": f"{INITIATE.format(1)}Content-Length: 9\r\n\r\n".encode(),
    "a WebSocket without a token": b"GET /ws/session/s/webrtc HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "a whole request": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


async def crowd(exchange: Exchange, size: int, data: bytes) -> list[trio.abc.HalfCloseableStream]:
    """So many connections that have sent this."""
    streams = [await exchange.network.connect("", HTTP_PORT) for _ in range(size)]
    for stream in streams:
        with suppress(trio.BrokenResourceError):  # it has given way already
            await stream.send_all(data)
    await trio.testing.wait_all_tasks_blocked()
    return streams


@pytest.mark.slow
@pytest.mark.parametrize("data", BEGUN.values(), ids=BEGUN)
async def test_crowd_of_connections_keeps_nobody_from_calling_and_coming_back(
    data: bytes, tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = CONFIG.replace("port = 0", "port = 0\nmax_connections = 50\nmax_connections_per_client = 50")
    async with open_memory_exchange(tmp_path, config) as exchange:
        began = trio.current_time()
        streams = await crowd(exchange, 80, data)
        phone = await exchange.call()
        [resume] = phone.socket.events("resume")
        streams += await crowd(exchange, 80, data)
        phone.socket.cut()
        again = await phone.open_socket(resume["websocketUrl"])
        await eventually(lambda: again.events("resume"))
        assert again.closed is None
        await phone.hear()
        assert trio.current_time() - began < 5
        assert exchange.gateway.http.connection_count <= 50
        for stream in streams:
            await trio.aclose_forcefully(stream)
    told = [message for message in caplog.messages if " gave way to one from " in message]
    assert 0 < len(told) < 20


@pytest.mark.parametrize("headers", [{"via": "1.1 proxy"}, {"x_forwarded_proto": "https"}, {"cf_ray": "0"}])
async def test_a_proxy_on_this_machine_is_no_anonymous_caller(headers: dict[str, Any], tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path) as gateway:
        json: dict[str, Any] = {"content_type": "application/json"}
        reply = await request(gateway, "POST", INITIATE_PATH, BODY, **json, **headers)
        assert (reply.status, reply.document["code"]) == (403, "FORBIDDEN")
        assert len(gateway.sessions) == 0
        assert (await request(gateway, "POST", INITIATE_PATH, BODY, **json)).status == 200


async def test_what_speaks_http_1_0_is_no_anonymous_caller_either(tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path) as gateway:
        async with await trio.open_tcp_stream("127.0.0.1", int(gateway.url.rpartition(":")[2])) as stream:
            await stream.send_all(f"{INITIATE.format(0)}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 403 ")
        assert len(gateway.sessions) == 0


class LoopTurns(trio.abc.Instrument):
    """Counts those of the event loop."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


class NotedTurns(Turns):
    """Each step uses its turn up; ``steps`` says in which turn of the event loop each was made."""

    def __init__(self) -> None:
        super().__init__(budget=0)
        self.steps: list[int] = []
        self._loop = LoopTurns()
        trio.lowlevel.add_instrument(self._loop)

    async def __aenter__(self) -> None:
        await super().__aenter__()
        self.steps.append(self._loop.count)


@pytest.mark.slow
async def test_messages_of_many_sessions_are_taken_in_as_many_turns_of_the_loop(tmp_path: Path) -> None:
    """Each step has used the budget up when it ends, as an offer has."""
    turns = NotedTurns()
    async with open_memory_exchange(tmp_path, turns=turns) as exchange:
        phones = [exchange.phone() for _ in range(20)]
        for phone in phones:
            await phone.create()
            await phone.open_socket()
        turns.steps.clear()
        async with trio.open_nursery() as at_once:
            for phone in phones:
                at_once.start_soon(phone.socket.send, Text("hello"))
        await eventually(lambda: len(turns.steps) >= len(phones))
        assert len(turns.steps) == len(set(turns.steps))


@pytest.mark.slow
async def test_sessions_whose_time_is_over_at_one_moment_end_in_as_many_turns_of_the_loop(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "glottis.server.sessions")
    turns = NotedTurns()
    async with open_memory_exchange(tmp_path, turns=turns) as exchange:
        for _ in range(20):
            await exchange.post()
        turns.steps.clear()
        await trio.sleep(DEFAULT_TIMES.connect)
        await trio.testing.wait_all_tasks_blocked()
        assert not len(exchange.gateway.sessions)
        assert len(turns.steps) == len(set(turns.steps)) == 20
    assert caplog.text.count("ends: nobody connected before the token expired") == 20


async def test_a_gateway_that_stops_ends_its_sessions_in_as_many_turns_of_the_loop(tmp_path: Path) -> None:
    turns = NotedTurns()
    async with open_memory_exchange(tmp_path, turns=turns) as exchange:
        for _ in range(20):
            await exchange.post()
        turns.steps.clear()
        await exchange.gateway.stop(grace=0)
        assert not len(exchange.gateway.sessions)
        assert len(turns.steps) == len(set(turns.steps)) == 20
