import logging
import random
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from glottis.contracts.errors import Malformed
from glottis.server.http.message import (
    HttpLimits,
    Response,
    parse_target_untrusted,
    text_response,
)
from glottis.server.http.server import HttpServer
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.phone import eventually

Connect = Callable[[HttpServer], Any]
Site = Any


async def test_request_reaches_the_handler_with_all_its_parts(site: Site, connect: Connect) -> None:
    reply = await connect(site.server()).request("POST", "/a/b?x=1&y=%C3%A9&x=2", body=b"{}", X_Thing="one")
    assert (reply.status, reply.body) == (200, b"/a/b\n")
    request = site.requests[0]
    assert (request.method, request.path, dict(request.query), request.body) == (
        "POST",
        "/a/b",
        {"x": "1", "y": "é"},
        b"{}",
    )
    assert request.headers["x-thing"] == "one"
    assert (request.scheme, request.host) == ("http", "gateway.example")


async def test_connection_is_kept_for_many_requests(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    for number in range(5):
        assert (await client.request("GET", f"/{number}")).body == f"/{number}\n".encode()


async def test_pipelined_requests_are_answered_in_order(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    await client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
    await client.send("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [(await client.reply()).body for _ in range(3)] == [b"/1\n", b"/2\n", b"/3\n"]


async def test_head_has_the_headers_of_get_and_no_body(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    reply = await client.request("HEAD", "/page")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "6", b"")
    assert (await client.request("GET", "/next")).body == b"/next\n"


async def test_responses_carry_a_date_and_are_what_they_say(site: Site, connect: Connect) -> None:
    for path in ("/", "/%ff?a=%ff"):
        reply = await connect(site.server()).request("GET", path)
        assert reply.headers["date"].endswith(" GMT")
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_chunked_body_is_read(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    await client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert (await client.reply()).status == 200
    assert site.requests[0].body == b"abcde"


async def test_chunks_may_be_small_where_few_and_end_with_trailers(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    chunks = "1\r\na\r\n" * 100 + "80\r\n" + "b" * 128 + "\r\n" + ("1000;x=y\r\n" + "c" * 4096 + "\r\n") * 15
    head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    await client.send(f"{head}{chunks}0\r\nX-Sum: 1\r\n\r\n")
    assert (await client.reply()).status == 200
    assert site.requests[0].body == b"a" * 100 + b"b" * 128 + b"c" * 4096 * 15


async def test_lines_of_a_body_are_none_of_the_head(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    assert (await client.request("POST", "/", body=b"\n" * 3000)).status == 200


async def test_client_that_waits_for_100_continue_is_told_to_go_on(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 100 ")
    await client.send("hi")
    assert (await client.reply()).status == 200


async def test_http_1_0_is_answered_and_closed(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    await client.send("GET /old HTTP/1.0\r\n\r\n")
    assert (await client.reply()).body == b"/old\n"
    assert await client.closed()


OPAQUE = {
    "city of a CDN": ("cf_ipcity", "São Exemplo"),
    "Latin-1": ("x_city", "S\udce3o Exemplo"),
    "half a character": ("x_city", "S\udcc3"),
    "C1 controls": ("x_city", "S\x85o"),
    "user agent": ("user_agent", "Téléphone/1.0"),
    "referrer": ("referer", "https://app.example/größe"),
    "cookie": ("cookie", "name=Zoë; other=\udcff"),
    "address of a proxy": ("x_forwarded_for", "schön"),
    "host of a proxy": ("x_forwarded_host", "schön.example"),
    "Forwarded": ("forwarded", 'for="schön";host=schön.example'),
}


@pytest.mark.parametrize(("name", "value"), OPAQUE.values(), ids=OPAQUE)
async def test_bytes_beyond_ascii_are_opaque_where_nobody_reads_them(
    autojump_clock: trio.testing.MockClock, name: str, value: str, site: Site, connect: Connect
) -> None:
    client = connect(site.server())
    assert (await client.request("POST", "/", body=b"{}", **{name: value})).status == 200
    assert (await client.upgrade(**{name: value})).status == 101
    assert [request.headers[name.replace("_", "-")] for request in site.requests] == [value, value]


async def test_absolute_target_names_the_host(site: Site, connect: Connect) -> None:
    await connect(site.server()).request("GET", "http://Other.example:81/x?y=z")
    request = site.requests[0]
    assert (request.path, request.host, dict(request.query)) == ("/x", "other.example:81", {"y": "z"})


MALFORMED = {
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS?\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "host with user": (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    "non-ASCII host": (b"GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n", 400),
    "non-ASCII connection": (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: \xff\r\n\r\n", 400),
    "non-ASCII host beside an absolute target": (b"GET http://a/ HTTP/1.1\r\nHost: \xe4\r\n\r\n", 400),
    "non-ASCII origin": (b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://caf\xc3\xa9.example\r\n\r\n", 400),
    "non-ASCII field name": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Caf\xc3\xa9: 1\r\n\r\n", 400),
    "non-ASCII target": (b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "relative target": (b"GET abc HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "query not UTF-8": (b"GET /?a=%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "percent sign before no digits": (b"GET /?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "query of escapes": (b"GET /?a=" + b"%61" * 1025 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "endless query": (b"GET /?" + b"&".join([b"a=1"] * 40) + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "null in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
    "null behind UTF-8 in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\x00\r\n\r\n", 400),
    "bare CR in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\rHost: b\r\n\r\n", 400),
    "escape in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n", 400),
    "delete in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", 400),
    "header without colon": (b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400),
    "negative length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "length and chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "bad chunk": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "unknown coding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    "large body": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413),
    "huge length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    "large chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"8000\r\n" + bytes(0x8000) + b"\r\n") * 3,
        413,
    ),
    "long target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "long head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 30000 + b"\r\n\r\n", 431),
    "100,000 headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 100_000 + b"\r\n", 431),
    "4,000 headers of which the last does not end": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\n" * 4000, 431),
    "a header of many lines": (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n" + b" 2\r\n" * 100 + b"\r\n", 431),
    "chunks of a byte": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 9000,
        400,
    ),
    "chunk extensions": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"x" * 600 + b"\r\na\r\n") * 9,
        400,
    ),
    "endless chunk extension": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 30000,
        400,
    ),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:\n" * 5000 + b"\n",
        400,
    ),
    "101 headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 101 + b"\r\n", 431),
    "HTTP/3.7": (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505),
}


@pytest.mark.parametrize(("data", "status"), MALFORMED.values(), ids=MALFORMED)
async def test_malformed_request_is_refused_and_others_are_served(
    data: bytes, status: int, site: Site, connect: Connect
) -> None:
    server = site.server()
    client, other = connect(server), connect(server)
    await client.send(data)
    reply = await client.reply()
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.headers["connection"] == "close"
    assert (await other.request("GET", "/other")).status == 200
    assert [request.path for request in site.requests] == ["/other"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_without_a_length_there_is_no_body_and_what_follows_is_no_other_request(
    version: str, site: Site, connect: Connect
) -> None:
    client = connect(site.server())
    await client.send(f"POST /hangup HTTP/{version}\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert await client.closed()
    assert [(request.path, request.body) for request in site.requests] == [("/hangup", b"")]


@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 431), (3000, 431)])
async def test_head_has_an_exact_limit_also_after_other_requests(
    excess: int, status: int, site: Site, connect: Connect
) -> None:
    client = connect(site.server())
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + bytes(5000)
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX:   "
    padding = b"a" * (HttpLimits().max_head_bytes - len(head) - 4 + excess)
    await client.send(first + head + padding + b"\r\n\r\nGET /")
    assert (await client.reply()).status == 200
    assert (await client.reply()).status == status


async def test_malformed_request_after_a_good_one_is_refused_and_closes(site: Site, connect: Connect) -> None:
    client = connect(site.server())
    await client.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
    assert (await client.reply()).status == 200
    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert await client.closed()


@pytest.mark.parametrize("silence", [0, 10])
@pytest.mark.parametrize("prefix", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n"])
async def test_first_head_is_due_from_the_start_of_the_connection(
    autojump_clock: trio.testing.MockClock, prefix: bytes, silence: float, site: Site, connect: Connect
) -> None:
    client = connect(site.server(HttpLimits(head_timeout=15, idle_timeout=60)))
    started = trio.current_time()
    await trio.sleep(silence)
    if prefix:
        await client.send(prefix)
        assert (await client.reply()).status == 408
    assert await client.stream.receive_some() == b""
    assert trio.current_time() - started == pytest.approx(15)


async def test_later_head_is_due_from_its_first_byte(
    autojump_clock: trio.testing.MockClock, site: Site, connect: Connect
) -> None:
    client = connect(site.server(HttpLimits(head_timeout=15, idle_timeout=60)))
    await client.request("GET", "/")
    await trio.sleep(59)
    await client.send(b"GET /")
    started = trio.current_time()
    assert (await client.reply()).status == 408
    assert trio.current_time() - started == pytest.approx(15)


async def test_a_byte_now_and_then_does_not_prolong_a_head(
    autojump_clock: trio.testing.MockClock, site: Site, connect: Connect, nursery: trio.Nursery
) -> None:
    client = connect(site.server(HttpLimits(head_timeout=15)))

    async def trickle() -> None:
        for byte in b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 1000:
            await client.send(bytes([byte]))
            await trio.sleep(1)

    started = trio.current_time()
    nursery.start_soon(trickle)
    assert (await client.reply()).status == 408
    assert trio.current_time() - started == pytest.approx(15)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_byte_now_and_then_does_not_prolong_a_body(
    framing: str, autojump_clock: trio.testing.MockClock, site: Site, connect: Connect, nursery: trio.Nursery
) -> None:
    client = connect(site.server(HttpLimits(body_timeout=15)))
    await client.send(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")

    async def trickle() -> None:
        while True:
            await client.send("1\r\na\r\n")
            await trio.sleep(1)

    started = trio.current_time()
    nursery.start_soon(trickle)
    assert (await client.reply()).status == 408
    assert trio.current_time() - started == pytest.approx(15)
    nursery.cancel_scope.cancel()


async def test_slow_body_gets_a_408(autojump_clock: trio.testing.MockClock, site: Site, connect: Connect) -> None:
    client = connect(site.server(HttpLimits(body_timeout=15)))
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert (await client.reply()).status == 408
    assert await client.closed()


async def test_idle_connection_is_closed(autojump_clock: trio.testing.MockClock, site: Site, connect: Connect) -> None:
    client = connect(site.server(HttpLimits(idle_timeout=60)))
    await client.request("GET", "/")
    started = trio.current_time()
    assert await client.stream.receive_some() == b""
    assert trio.current_time() - started == pytest.approx(60)


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"]
)
async def test_client_that_goes_in_the_middle_of_a_request_leaves_nothing(
    sent: bytes, site: Site, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = site.server()
    client = connect(server)
    await client.send(sent)
    await trio.testing.wait_all_tasks_blocked()
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert server.connection_count == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_handler_that_fails_costs_one_response(
    site: Site, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: object) -> Response:
        raise ZeroDivisionError

    site.answer = fail
    client = connect(site.server())
    assert (await client.request("GET", "/")).status == 500
    assert "ZeroDivisionError" in caplog.text
    site.answer = None
    assert (await client.request("GET", "/")).status == 200


async def test_handler_that_hangs_is_given_up(
    autojump_clock: trio.testing.MockClock, site: Site, connect: Connect
) -> None:
    async def hang(request: object) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    site.answer = hang
    reply = await connect(site.server(HttpLimits(handler_timeout=30))).request("GET", "/")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("bytes_a_second", [0, 1])
async def test_client_that_does_not_read_its_response_is_dropped(
    bytes_a_second: int, autojump_clock: trio.testing.MockClock, site: Site, nursery: trio.Nursery
) -> None:
    async def answer(request: object) -> Response:
        return text_response(200, "a" * 100_000)

    site.answer = answer
    server = site.server(HttpLimits(send_timeout=15))
    client, served = trio.testing.lockstep_stream_pair()
    nursery.start_soon(server.serve_connection, served)
    await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(20):
        await trio.sleep(1)
        if bytes_a_second and server.connection_count:
            await client.receive_some(bytes_a_second)
    assert server.connection_count == 0


async def test_server_listens_serves_and_drains(site: Site, nursery: trio.Nursery) -> None:
    release = trio.Event()

    async def answer(request: Any) -> Response:
        if request.path == "/slow":
            await release.wait()
        return text_response(200, request.client_host)

    site.answer = answer
    server = site.server()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    ended = trio.Event()

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await server.serve(listeners, task_status=task_status)
        ended.set()

    await nursery.start(serve)
    busy, idle, early, mute = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(4)]
    await busy.send_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    await idle.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await idle.receive_some()).endswith(b"127.0.0.1\n")
    await eventually(lambda: server.connection_count == 4)
    server.drain()
    await early.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"connection: close" in (await early.receive_some()).lower(), "who has just connected is about to ask"
    for silent in (idle, mute):
        assert await silent.receive_some() == b""
    for closed in (idle, early, mute):
        await closed.aclose()
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)
    assert not ended.is_set()
    release.set()
    answer_text = await busy.receive_some()
    assert b"connection: close" in answer_text.lower()
    await busy.aclose()
    await ended.wait()


async def test_cancelled_server_leaves_at_once(site: Site) -> None:
    server = site.server()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        stream = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
        await stream.send_all(b"GET / HTT")
        nursery.cancel_scope.cancel()
    assert server.connection_count == 0
    await stream.aclose()


async def test_client_that_still_sends_a_large_body_can_read_its_refusal(site: Site, nursery: trio.Nursery) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await nursery.start(site.server().serve, listeners)
    stream = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
    await stream.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
    for _ in range(20):
        await stream.send_all(bytes(100_000))
    assert (await stream.receive_some()).startswith(b"HTTP/1.1 413 ")
    await stream.aclose()


@pytest.mark.slow
@settings(max_examples=examples(300), derandomize=True)
@given(st.one_of(st.text(), st.from_regex(r"https?://.{0,20}/.{0,20}\?.{0,40}", fullmatch=True)))
def test_any_target_is_read_or_malformed(text: str) -> None:
    """Fuzz: parse_target_untrusted raises Malformed and nothing else."""
    try:
        target = parse_target_untrusted(text)
    except Malformed:
        return
    assert target.path.startswith("/") or target.path == "*"


async def test_any_bytes_leave_the_server_serving(
    autojump_clock: trio.testing.MockClock, site: Site, connect: Connect, nursery: trio.Nursery
) -> None:
    """Fuzz: read_head_untrusted and all of the HTTP side, with mutations of good requests, harm nobody else."""
    rng = random.Random(1)
    good = (
        b"POST /api?x=%41 HTTP/1.1\r\nHost: gateway.example\r\nConnection: keep-alive, Upgrade\r\n"
        b"Upgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\n"
        b"CF-IPCity: S\xc3\xa3o Exemplo\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    server = site.server(trusted_proxies=("127.0.0.0/8",))
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        client = connect(server)
        await client.send(bytes(data) * rng.randint(1, 2))
        await client.stream.send_eof()
    await trio.sleep(100)
    assert server.connection_count == 0
    assert (await connect(server).request("GET", "/")).status == 200
