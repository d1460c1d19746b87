"""What bytes of strangers may cost: function calls are counted, since time depends on the machine."""

import sys
from collections.abc import Callable
from typing import Any

import h11
import pytest
import trio
import trio.testing
from glottis.contracts.errors import Malformed
from glottis.server.http.handshake import wants_websocket
from glottis.server.http.head import MAX_HEADER_FIELDS, read_head_untrusted, vet_head, vet_lines
from glottis.server.http.message import HttpLimits, Request
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import TrustedProxies
from glottis.server.http.receiver import RequestReceiver
from glottis.server.http.turns import Turns

CALLS_OF_A_FIELD = 30
MAX_EVENTS = 300
"""Of h11, for a body: each costs some 10 µs, however short."""
HEAD_BYTES = HttpLimits().max_head_bytes
PROXY = "10.0.0.1"


def calls_of(function: Callable[[], object]) -> int:
    """How many functions are called, those of C included."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    except (Problem, Malformed, h11.RemoteProtocolError):
        pass
    finally:
        sys.setprofile(None)
    return calls


def head(filler: str, line: str = "{}") -> bytes:
    """As long as a head may be, with a line full of this."""
    start = b"GET / HTTP/1.1\r\nHost: a\r\n"
    room = (HEAD_BYTES - len(start) - len(line) - 4) // len(filler)
    return start + line.format(filler * room).encode() + b"\r\n\r\n"


HEADS = {
    "short fields": head("a:\r\n"),
    "short fields without CR": head("a:\n"),
    "as many fields as may be": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * (MAX_HEADER_FIELDS - 1) + b"\r\n",
    "a field of many lines": head(" a\r\n", "X: 1\r\n{}"),
    "connection": head("a,", "Connection: {}"),
    "upgrade": head("a,", "Upgrade: {}"),
    "senders": head(f"{PROXY},", "X-Forwarded-For: {}"),
    "senders without an end": head("1:", "X-Forwarded-For: {}"),
    "senders of the standard": head(f"for={PROXY},", "Forwarded: {}"),
    "parameters": head("a=b;", "Forwarded: {}"),
    "query": b"GET /?" + b"a=b&" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "target": b"GET /" + b"%" * 16000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_any_head_costs_a_bounded_number_of_calls(data: bytes, header: Any) -> None:
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    proxies = TrustedProxies([PROXY], header)

    def read() -> None:
        vet_lines(http.trailing_data[0])
        event = http.next_event()
        assert isinstance(event, h11.Request)
        vet_head(event)
        request = read_head_untrusted(event, PROXY, proxies)
        wants_websocket(request.method, request.headers)

    http.receive_data(data)
    assert len(data) <= HEAD_BYTES + 200
    assert calls_of(read) <= CALLS_OF_A_FIELD * MAX_HEADER_FIELDS + len(data)


BODIES = {
    "chunks of a byte": b"1\r\na\r\n" * 60_000,
    "chunks of a byte in larger ones": (b"1\r\na\r\n" * 16 + b"100\r\n" + b"a" * 256 + b"\r\n") * 1000,
    "extensions": (b"1;" + b"x" * 500 + b"\r\na\r\n") * 1000,
    "short trailers": b"0\r\n" + b"a:\n" * 5000 + b"\n",
    "long trailers": b"0\r\nX: " + b"a" * 14_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES)
async def test_any_body_is_read_in_a_bounded_number_of_steps(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = trio.testing.memory_stream_pair()
    receiver = RequestReceiver(server, HttpLimits(), Turns())
    await client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    events, next_event = 0, receiver.http.next_event

    def count() -> Any:
        nonlocal events
        events += 1
        return next_event()

    monkeypatch.setattr(receiver.http, "next_event", count)
    await receiver.receive_head(trio.current_time() + 15)
    with pytest.raises(Problem, match="larger chunks"):
        await receiver.receive_body(Request("POST", "/", headers={"transfer-encoding": "chunked"}))
    assert events <= MAX_EVENTS
