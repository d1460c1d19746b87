import json
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import trio
import trio.testing
import trio_websocket
from glottis.contracts.errors import Malformed
from glottis.server.http.frame_meter import FrameMeter
from glottis.server.http.message import HttpLimits, text_response
from glottis.server.http.server import HttpServer
from glottis.server.http.websocket import WebSocket
from glottis.signaling.errors import WebSocketClosed
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

Connect = Callable[[HttpServer], Any]
OpenWebSocket = Callable[..., Awaitable[trio_websocket.WebSocketConnection]]
Frame = Callable[..., bytes]
Site = Any
Clock = trio.testing.MockClock
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


async def test_messages_travel_both_ways(
    autojump_clock: Clock, site: Site, open_client_websocket: OpenWebSocket
) -> None:
    client = await open_client_websocket(site.server(), "/ws?token=t")
    for message in ("héllo", "", b"\x00\xff", "a" * 65536):
        await client.send_message(message)
        assert await client.get_message() == message
    assert dict(site.requests[0].query) == {"token": "t"}


async def test_frames_sent_before_the_answer_are_not_lost(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame
) -> None:
    client = connect(site.server())
    await client.send(
        b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + frame(TEXT, b"early")
    )
    data = b""
    while b"\r\n\r\n" not in data:
        data += await client.stream.receive_some(1)
    assert data.startswith(b"HTTP/1.1 101 ")
    assert b"ICX+Yqv66kxgM0FcWaLWlFLwTAI=" in data
    assert await client.frame() == (TEXT, b"early")


async def test_websocket_and_requests_share_a_connection(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame
) -> None:
    client = connect(site.server())
    assert (await client.request("GET", "/first")).status == 200
    assert (await client.upgrade()).status == 101
    await client.send(frame(BINARY, b"x"))
    assert await client.frame() == (BINARY, b"x")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"connection": "close"}, 400),
        ({"sec_websocket_key": ""}, 400),
        ({"sec_websocket_key": "c2hvcnQ="}, 400),
        ({"sec_websocket_key": "*" * 24}, 400),
        ({"sec_websocket_key": "ä" * 12}, 400),
        ({"sec_websocket_version": "8"}, 426),
        ({"sec_websocket_version": ""}, 426),
        ({"host": "xn--\xe4"}, 400),
        ({"connection": "Upgr\xe4de"}, 400),
        ({"connection": "Upgrade, \udce4"}, 400),
        ({"upgrade": "webso\u212aet"}, 400),  # whose last but two is a Kelvin sign, a small k in lower case
    ],
)
async def test_incorrect_handshake_is_refused(
    autojump_clock: Clock, changes: dict[str, str], status: int, site: Site, connect: Connect
) -> None:
    server = site.server()
    assert (await connect(server).upgrade(**changes)).status == status
    assert not site.requests
    assert (await connect(server).upgrade()).status == 101


async def test_host_that_idna_cannot_read_does_no_harm(autojump_clock: Clock, site: Site, connect: Connect) -> None:
    server = site.server()
    assert (await connect(server).upgrade(host="xn--0.example")).status == 101


async def test_owner_refuses_before_the_handshake(autojump_clock: Clock, site: Site, connect: Connect) -> None:
    site.refusal = text_response(403, "no")
    reply = await connect(site.server()).upgrade()
    assert (reply.status, reply.body) == (403, b"no\n")
    assert not site.requests


async def test_server_closes_with_code_and_reason_cut_to_123_bytes(
    autojump_clock: Clock, site: Site, open_client_websocket: OpenWebSocket
) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await websocket.close(1008, "TOKEN_INVALID: " + "ä" * 100)

    site.talk = talk
    client = await open_client_websocket(site.server())
    with pytest.raises(trio_websocket.ConnectionClosed):
        await client.get_message()
    assert client.closed is not None
    assert (client.closed.code, client.closed.reason) == (1008, "TOKEN_INVALID: " + "ä" * 54)


async def test_user_of_a_closed_websocket_gets_one_exception(
    autojump_clock: Clock, site: Site, open_client_websocket: OpenWebSocket, nursery: trio.Nursery
) -> None:
    seen: list[WebSocketClosed] = []

    async def talk(request: object, websocket: WebSocket) -> None:
        for use in (websocket.receive, lambda: websocket.send("x"), websocket.receive):
            with pytest.raises(WebSocketClosed) as raised:
                await use()
            seen.append(raised.value)
        await websocket.close()

    site.talk = talk
    server = site.server()
    client = await open_client_websocket(server)
    await client.aclose(3999, "gone fishing")
    await trio.testing.wait_all_tasks_blocked()
    assert [(closed.code, closed.reason) for closed in seen] == [(3999, "gone fishing")] * 3


async def test_handler_that_returns_closes_normally(autojump_clock: Clock, site: Site, connect: Connect) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await websocket.send("bye")

    site.talk = talk
    client = connect(site.server())
    await client.upgrade()
    assert await client.frame() == (TEXT, b"bye")
    assert await client.close_code() == 1000


async def test_handler_that_fails_closes_with_1011_and_is_logged(
    autojump_clock: Clock, site: Site, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        raise ZeroDivisionError

    site.talk = talk
    server = site.server()
    client = connect(server)
    await client.upgrade(target="/ws?token=sesame")
    assert await client.close_code() == 1011
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert "ZeroDivisionError" in caplog.text
    assert server.connection_count == 0


async def test_cancelled_server_closes_with_1012(
    autojump_clock: Clock, site: Site, connect: Connect, nursery: trio.Nursery
) -> None:
    server = site.server()
    client, served = trio.testing.memory_stream_pair()
    raw = connect(server)
    raw.stream = client
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            await server.serve_connection(served)

    nursery.start_soon(serve)
    await raw.upgrade()
    scope.cancel()
    assert await raw.close_code() == 1012


VIOLATIONS: dict[str, tuple[Callable[[Frame], bytes], int]] = {
    "unmasked": (lambda frame: b"\x81\x01a", 1002),
    "reserved bit": (lambda frame: b"\xc1\x80\x00\x00\x00\x00", 1002),
    "unknown opcode": (lambda frame: frame(3), 1002),
    "unknown control opcode": (lambda frame: frame(11), 1002),
    "fragmented ping": (lambda frame: frame(PING, b"", fin=False), 1002),
    "long ping": (lambda frame: frame(PING, b"a" * 126), 1002),
    "continuation of nothing": (lambda frame: frame(0, b"a"), 1002),
    "message within a message": (lambda frame: frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "length not minimal": (lambda frame: b"\x81\xfe\x00\x01\x00\x00\x00\x00a", 1002),
    "bad UTF-8": (lambda frame: frame(TEXT, b"\xff"), 1007),
    "UTF-8 cut short": (lambda frame: frame(TEXT, b"\xc3"), 1007),
    "surrogate": (lambda frame: frame(TEXT, b"\xed\xa0\x80"), 1007),
    "close with one byte": (lambda frame: frame(CLOSE, b"\x03"), 1002),
    "close with 1005": (lambda frame: frame(CLOSE, b"\x03\xed"), 1002),
    "close with 65535": (lambda frame: frame(CLOSE, b"\xff\xff"), 1002),
    "close with bad UTF-8": (lambda frame: frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "message too large": (lambda frame: frame(TEXT, b"a" * 65537), 1009),
    "characters fit, bytes do not": (lambda frame: frame(TEXT, "ä".encode() * 32769), 1009),
    "length of 2**62": (lambda frame: b"\x82\xff\x40" + bytes(7) + bytes(4), 1009),
    "fragments too large": (
        lambda frame: frame(TEXT, b"a" * 40000, fin=False) + frame(0, b"a" * 40000, fin=False),
        1009,
    ),
    "endless one-byte fragments": (lambda frame: frame(TEXT, b"a", fin=False) + frame(0, b"a", fin=False) * 300, 1009),
    "endless empty fragments": (lambda frame: frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 300, 1009),
    "two messages too large": (lambda frame: frame(TEXT, b"a" * 65537) * 2, 1009),
}


REASONS = {
    1002: ["send frames as RFC 6455 has them"],
    1007: ["send text and reasons in UTF-8"],
    1009: ["message: longer than 65536 bytes", "message: more than 256 fragments"],
}


@pytest.mark.parametrize(("make", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
async def test_violation_closes_that_websocket_alone(
    autojump_clock: Clock,
    make: Callable[[Frame], bytes],
    code: int,
    site: Site,
    connect: Connect,
    frame: Frame,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = site.server()
    client, other = connect(server), connect(server)
    await client.upgrade()
    await other.upgrade()
    await client.send(frame(TEXT, b"good") + make(frame))
    closed, reason = await client.close_reason()
    assert closed == code
    assert reason in REASONS[code]
    await client.stream.aclose()
    await other.send(frame(TEXT, b"still there"))
    assert await other.frame() == (TEXT, b"still there")
    await trio.testing.wait_all_tasks_blocked()
    assert server.connection_count == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def keep_all(request: object, websocket: WebSocket) -> None:
    """Receive, and say of each message how long after the first it came."""
    await websocket.receive()
    begun = trio.current_time()
    await websocket.send("0")
    while True:
        await websocket.receive()
        await websocket.send(f"{trio.current_time() - begun:.3f}")


async def arrivals(client: Any, count: int) -> list[float]:
    """When so many messages came, in seconds after the first."""
    return [float((await client.frame())[1]) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_burst_of_messages_waits_for_nothing_and_a_flood_is_held_back(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery, opcode: int
) -> None:
    site.talk = keep_all
    client = connect(site.server(HttpLimits(frames_per_second=100, frame_burst=300)))
    await client.upgrade()
    nursery.start_soon(client.send, frame(opcode, b"x") * 500)
    times = await arrivals(client, 500)
    assert set(times[:300]) == {0.0}
    assert times[399] == pytest.approx(1, abs=0.02)
    assert times[499] == pytest.approx(2, abs=0.02)


async def test_flood_that_goes_on_and_on_closes_the_socket(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery
) -> None:
    client = connect(site.server(HttpLimits(frames_per_second=10, frame_burst=10, flood_timeout=30)))
    await client.upgrade()
    begun = trio.current_time()
    nursery.start_soon(client.send, frame(TEXT, b"x") * 1000)
    assert await client.close_reason() == (1008, "messages: more than 10 a second for 30 seconds")
    assert trio.current_time() - begun == pytest.approx(30, abs=1)


@pytest.mark.slow
async def test_floods_with_breaks_between_them_are_taken(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery
) -> None:
    limits = HttpLimits(frames_per_second=10, frame_burst=10, flood_timeout=30, ping_interval=10_000)
    client = connect(site.server(limits))
    await client.upgrade()
    for _ in range(10):
        nursery.start_soon(client.send, frame(TEXT, b"x") * 200)
        assert [await client.frame() for _ in range(200)] == [(TEXT, b"x")] * 200
        await trio.sleep(2)


async def test_long_message_counts_as_several(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery
) -> None:
    site.talk = keep_all
    client = connect(site.server(HttpLimits(frames_per_second=8, frame_burst=8)))
    await client.upgrade()
    nursery.start_soon(client.send, frame(TEXT, b"x" * 65_000) * 10)
    assert (await arrivals(client, 10))[-1] >= 3.9


async def test_fragments_count_as_the_frames_that_they_are(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery
) -> None:
    site.talk = keep_all
    client = connect(site.server(HttpLimits(frames_per_second=100, frame_burst=100)))
    await client.upgrade()
    nursery.start_soon(client.send, (frame(TEXT, fin=False) + frame(0, fin=False) * 48 + frame(0)) * 6)
    assert (await arrivals(client, 6))[-1] == pytest.approx(2, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_flood_of_control_frames_closes_the_socket(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery, opcode: int
) -> None:
    client = connect(site.server(HttpLimits(ping_interval=10_000)))
    await client.upgrade()
    for _ in range(30):
        await trio.sleep(10)
        await client.send(frame(opcode) * 100)
    nursery.start_soon(client.send, frame(opcode) * 101)
    assert await client.close_reason() == (1008, "control frames: more than 10 a second")


@pytest.mark.slow
async def test_control_frames_between_many_messages_are_not_too_many(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery
) -> None:
    client = connect(site.server(HttpLimits(frame_burst=10)))
    await client.upgrade()
    nursery.start_soon(client.send, (frame(TEXT, b"x") * 100 + frame(PING)) * 20)
    assert [(await client.frame())[0] for _ in range(2020)] == ([TEXT] * 100 + [PONG]) * 20


async def test_peer_that_is_held_back_is_not_blamed_for_its_late_pong(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, nursery: trio.Nursery
) -> None:
    client = connect(site.server(HttpLimits(frames_per_second=1, frame_burst=1, flood_timeout=1000, ping_interval=20)))
    await client.upgrade()
    nursery.start_soon(client.send, frame(TEXT, b"x") * 100)
    received = [(await client.frame())[0]]
    while received.count(TEXT) < 100:
        received.append((await client.frame())[0])
        assert received[-1] in (TEXT, PING)
    assert received.count(PING) >= 2


async def test_others_have_their_turn_between_the_frames_of_one_client(
    site: Site, connect: Connect, frame: Frame
) -> None:
    server = site.server()
    client, other = connect(server), connect(server)
    await client.upgrade()
    await other.upgrade()
    turns = 0
    await client.send(frame(TEXT, b"x") * 200)
    await other.send(frame(TEXT, b"y"))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def count() -> None:
                nonlocal turns
                for _ in range(200):
                    assert await client.frame() == (TEXT, b"x")
                    turns += 1
                scope.cancel()

            nursery.start_soon(count)
            assert await other.frame() == (TEXT, b"y")
            assert turns < 50
    assert turns == 200


async def test_client_that_still_sends_can_read_why_it_is_closed(site: Site, nursery: trio.Nursery) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await nursery.start(site.server().serve, listeners)
    async with await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1]) as stream:
        client = await trio_websocket.wrap_client_stream(nursery, stream, "gateway.example", "/ws")
        await client.send_message("a" * 1_000_000)
        with pytest.raises(trio_websocket.ConnectionClosed):
            await client.get_message()
    assert client.closed is not None
    assert (client.closed.code, client.closed.reason) == (1009, "message: longer than 65536 bytes")


async def test_fragments_with_pings_between_make_one_message(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame
) -> None:
    client = connect(site.server())
    await client.upgrade()
    await client.send(frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(0, b"", fin=False) + frame(0, b"b"))
    assert await client.frame() == (PONG, b"p")
    assert await client.frame() == (TEXT, b"ab")


async def test_ping_while_closing_does_no_harm(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await websocket.close(1000, "done")

    site.talk = talk
    server = site.server()
    client = connect(server)
    await client.upgrade()
    assert await client.close_code() == 1000
    await client.send(frame(PING, b"x") + frame(TEXT, b"late") + frame(CLOSE, b"\x03\xe8"))
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_peer_that_answers_pings_stays(
    autojump_clock: Clock, site: Site, open_client_websocket: OpenWebSocket
) -> None:
    client = await open_client_websocket(site.server(HttpLimits(ping_interval=20)))
    await trio.sleep(3600)
    await client.send_message("still there")
    assert await client.get_message() == "still there"


async def test_peer_that_answers_no_ping_is_gone_within_two_intervals(
    autojump_clock: Clock, site: Site, connect: Connect
) -> None:
    ended: list[tuple[float, WebSocketClosed]] = []

    async def talk(request: object, websocket: WebSocket) -> None:
        try:
            await websocket.receive()
        except WebSocketClosed as closed:
            ended.append((trio.current_time(), closed))
            raise

    site.talk = talk
    server = site.server(HttpLimits(ping_interval=20))
    client = connect(server)
    await client.upgrade()
    started = trio.current_time()
    await trio.sleep(45)
    assert ended[0][0] - started == pytest.approx(40, abs=1)
    assert ended[0][1].code == 1006
    assert server.connection_count == 0


async def test_peer_whose_messages_nobody_receives_is_not_blamed_for_its_late_pong(
    autojump_clock: Clock, site: Site, open_client_websocket: OpenWebSocket
) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await trio.sleep(300)
        while True:
            await websocket.send(await websocket.receive())

    site.talk = talk
    client = await open_client_websocket(site.server(HttpLimits(ping_interval=20)))
    for index in range(20):
        await client.send_message(str(index))
    assert [await client.get_message() for _ in range(20)] == [str(index) for index in range(20)]


async def test_cancelled_server_takes_the_peers_answer_to_its_close_frame_and_waits_no_longer(
    autojump_clock: Clock, site: Site, nursery: trio.Nursery
) -> None:
    server = site.server(HttpLimits(close_timeout=10))
    ours, theirs = trio.testing.memory_stream_pair()
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            await server.serve_connection(theirs)
        served.set()

    served = trio.Event()
    nursery.start_soon(serve)
    client = await trio_websocket.wrap_client_stream(nursery, cast("trio.SocketStream", ours), "gateway.example", "/ws")
    started = trio.current_time()
    scope.cancel()
    await served.wait()
    assert trio.current_time() - started < 0.1
    assert client.closed is not None
    assert client.closed.code == 1012


@pytest.mark.parametrize("bytes_a_second", [0, 1])
async def test_peer_that_does_not_read_is_dropped(
    bytes_a_second: int,
    autojump_clock: Clock,
    site: Site,
    connect: Connect,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[WebSocketClosed] = []

    async def talk(request: object, websocket: WebSocket) -> None:
        try:
            await websocket.send("a" * 1000)
        except WebSocketClosed as closed:
            ended.append(closed)

    site.talk = talk
    server = site.server(HttpLimits(send_timeout=15))
    client, served = trio.testing.lockstep_stream_pair()
    raw = connect(server)
    raw.stream = client
    nursery.start_soon(server.serve_connection, served)
    await raw.upgrade()
    for _ in range(20):
        await trio.sleep(1)
        if bytes_a_second and not ended:
            await client.receive_some(bytes_a_second)
    assert [closed.code for closed in ended] == [1006]
    assert server.connection_count == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_nothing_follows_a_message_that_a_cancellation_cut_short(
    autojump_clock: Clock, site: Site, connect: Connect, nursery: trio.Nursery
) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await websocket.send("a" * 1000)

    site.talk = talk
    server = site.server()
    client, served = trio.testing.lockstep_stream_pair()
    raw = connect(server)
    raw.stream = client
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            await server.serve_connection(served)

    nursery.start_soon(serve)
    await raw.upgrade()
    received = await client.receive_some(100)
    scope.cancel()
    while data := await client.receive_some():
        received += data
    assert received == b"\x81\x7e\x03\xe8" + b"a" * 1000


STOPS_SHORT: dict[str, Callable[[Frame], bytes]] = {
    "header": lambda frame: frame(TEXT, b"a" * 200)[:3],
    "payload": lambda frame: frame(TEXT, b"a" * 200)[:100],
    "control frame": lambda frame: frame(PING, b"a" * 20)[:10],
    "between fragments": lambda frame: frame(TEXT, b"a", fin=False),
    "after an empty fragment": lambda frame: frame(TEXT, b"", fin=False),
    "after a whole message": lambda frame: frame(TEXT, b"whole") + frame(TEXT, b"half")[:-2],
}


@pytest.mark.parametrize("begin", STOPS_SHORT.values(), ids=STOPS_SHORT)
async def test_message_that_has_begun_is_due(
    autojump_clock: Clock, begin: Callable[[Frame], bytes], site: Site, connect: Connect, frame: Frame
) -> None:
    client = connect(site.server(HttpLimits(message_timeout=15)))
    await client.upgrade()
    await trio.sleep(10)
    await client.send(begin(frame))
    started = trio.current_time()
    assert await client.close_reason() == (1008, "message: not whole after 15 seconds")
    assert trio.current_time() - started == pytest.approx(15)


TRICKLES: dict[str, Callable[[Frame], list[bytes]]] = {
    "bytes": lambda frame: [bytes([byte]) for byte in frame(TEXT, b"a" * 100)],
    "fragments": lambda frame: [frame(TEXT, b"a", fin=False), *[frame(0, b"a", fin=False)] * 100],
    "fragments among pongs": lambda frame: [
        frame(TEXT, b"a", fin=False),
        *[frame(PONG), frame(0, b"", fin=False)] * 50,
    ],
}


@pytest.mark.parametrize("pieces", TRICKLES.values(), ids=TRICKLES)
async def test_a_piece_now_and_then_does_not_prolong_a_message(
    autojump_clock: Clock,
    pieces: Callable[[Frame], list[bytes]],
    site: Site,
    connect: Connect,
    frame: Frame,
    nursery: trio.Nursery,
) -> None:
    client = connect(site.server(HttpLimits(message_timeout=15)))
    await client.upgrade()

    async def trickle() -> None:
        for piece in pieces(frame):
            await client.send(piece)
            await trio.sleep(1)

    started = trio.current_time()
    nursery.start_soon(trickle)
    assert await client.close_code() == 1008
    assert trio.current_time() - started == pytest.approx(15)
    nursery.cancel_scope.cancel()


async def test_messages_that_come_slowly_each_have_their_time(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame
) -> None:
    client = connect(site.server(HttpLimits(message_timeout=15, ping_interval=1000)))
    await client.upgrade()
    message = frame(TEXT, b"slow")
    await client.send(message[:3])
    for _ in range(5):
        await trio.sleep(14)
        await client.send(message[3:] + message[:3])
        assert await client.frame() == (TEXT, b"slow")


async def test_peer_whose_messages_nobody_receives_is_not_late(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame
) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await trio.sleep(300)
        while True:
            await websocket.send(await websocket.receive())

    site.talk = talk
    client = connect(site.server(HttpLimits(message_timeout=15, ping_interval=1000)))
    await client.upgrade()
    data = b"".join(frame(TEXT, b"%02d" % index) for index in range(20))
    await client.send(data[:-1])
    await trio.sleep(1)
    await client.send(data[-1:])
    assert [await client.frame() for _ in range(20)] == [(TEXT, b"%02d" % index) for index in range(20)]


async def test_client_that_vanishes_is_seen(autojump_clock: Clock, site: Site, connect: Connect) -> None:
    server = site.server()
    client = connect(server)
    await client.upgrade()
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert server.connection_count == 0


@pytest.mark.parametrize("reads", [False, True])
async def test_client_that_is_lost_during_the_handshake_ends_quietly(
    reads: bool, autojump_clock: Clock, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    server = site.server(HttpLimits(send_timeout=15))
    client, served = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_connection, served)
        await client.send_all(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        if reads:
            assert await client.receive_some(1) == b"H"
            await client.aclose()
    assert not site.requests
    assert server.connection_count == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_close_waits_for_a_silent_peer_only_briefly(autojump_clock: Clock, site: Site, connect: Connect) -> None:
    async def talk(request: object, websocket: WebSocket) -> None:
        await websocket.close(1000, "done")

    site.talk = talk
    server = site.server(HttpLimits(close_timeout=1))
    client = connect(server)
    await client.upgrade()
    await trio.sleep(2.5)
    assert server.connection_count == 0


async def test_no_token_is_logged(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = site.server()
    secret = "sesame-open"
    await connect(server).request("GET", f"/a?token={secret}", authorization=f"Bearer {secret}")
    await connect(server).request("POST", f"/a?token={secret}", body=json.dumps({"key": secret}).encode())
    await connect(server).upgrade(target=f"/ws/session/s/webrtc?token={secret}", sec_websocket_key=secret)
    broken = connect(server)
    await broken.send(f"GET /ws?token={secret} HTTP/1.1\r\nHost: a\r\nX: \x00{secret}\r\n\r\n")
    await broken.reply()
    client = connect(server)
    await client.upgrade(target=f"/ws/session/s/webrtc?token={secret}")
    await client.send(frame(TEXT, secret.encode()) + frame(TEXT, b"\xff" + secret.encode()))
    assert await client.close_code() == 1007
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert "webrtc" in caplog.text
    assert secret not in caplog.text


def take_all(meter: FrameMeter, data: bytes) -> list[bytes]:
    """What the meter cuts the data to."""
    pieces = []
    start = 0
    while start < len(data):
        end = meter.take_untrusted(data, start)
        pieces.append(data[start:end])
        start = end
    return pieces


def test_meter_cuts_between_frames(frame: Frame) -> None:
    frames = [frame(TEXT, b"hello"), frame(PING, b""), frame(BINARY, b"b" * 200), frame(0, b""), frame(PONG, b"pong")]
    meter = FrameMeter(1000, 5)
    assert take_all(meter, b"".join(frames)) == frames
    assert meter.control_frames == 2


def test_meter_counts_each_message_alone() -> None:
    meter = FrameMeter(max_message_bytes=10, max_message_fragments=3)
    mask = bytes(4)
    message = b"\x01\x82" + mask + b"ab\x00\x80" + mask + b"\x89\x84" + mask + b"ping\x80\x88" + mask + b"12345678"
    for _ in range(5):
        for byte in message:
            assert meter.take_untrusted(bytes([byte])) == 1
    with pytest.raises(Malformed, match="longer than 10 bytes"):
        take_all(meter, message[:8] + b"\x80\x89" + mask)


@settings(max_examples=examples(200), derandomize=True)
@given(st.lists(st.binary(max_size=300), max_size=10))
def test_meter_takes_any_bytes_however_cut(chunks: list[bytes]) -> None:
    """Fuzz: FrameMeter.take_untrusted raises Malformed and nothing else, and the cuts make no difference."""

    def outcome(pieces: list[bytes]) -> str | None:
        meter = FrameMeter(100, 5)
        try:
            for piece in pieces:
                take_all(meter, piece)
        except Malformed as error:
            return str(error)
        return None

    assert outcome(chunks) == outcome([b"".join(chunks)])


@pytest.mark.slow
async def test_any_frames_leave_the_server_serving(
    autojump_clock: Clock, site: Site, connect: Connect, frame: Frame
) -> None:
    """Fuzz: mutated frames end their own WebSocket at most, and quietly."""
    rng = random.Random(2)
    good = frame(TEXT, b"hello", fin=False) + frame(PING, b"x") + frame(0, b"there") + frame(BINARY, b"b" * 200)
    server = site.server()
    for _ in range(50):
        data = bytearray(good + frame(CLOSE, b"\x03\xe8bye"))
        for _ in range(rng.randint(0, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        client = connect(server)
        await client.upgrade()
        await client.send(bytes(data))
        await client.stream.send_eof()
    await trio.sleep(200)
    assert server.connection_count == 0
    assert (await connect(server).upgrade()).status == 101
