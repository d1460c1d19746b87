import gzip
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
import trio
import trio.testing
from glottis import CallInfo, ConfigurationError, IceServer, Secret
from glottis.testing import IceProviderContract
from glottis_ice_http import HttpConfig, HttpIceServers, register_ice_server_providers
from glottis_ice_http.answers import read_ice_servers
from glottis_ice_http.provider import LONGEST_PAUSE, MAX_ANSWER

CALL = CallInfo("session", "campaign")
URL = Secret("http://ice.example/servers?key=hunter2")
STUN = IceServer(("stun:stun.example",))
TURN = IceServer(("turn:turn.example", "turns:turn.example"), "user", "pass")
LISTED: list[dict[str, Any]] = [
    {"urls": "stun:stun.example"},
    {"urls": list(TURN.urls), "username": "user", "credential": "pass"},
]


class TestContract(IceProviderContract):
    (spec,) = register_ice_server_providers()
    settings = HttpConfig(url=URL, headers={"Authorization": Secret("Bearer hunter2-hunter2")})


Reply = httpx2.Response | Exception


class Endpoint:
    """Replies as it is told. Test double of an operator's endpoint."""

    def __init__(self, reply: Reply | Callable[[], Awaitable[Reply]] | None = None) -> None:
        self.reply = reply if reply is not None else httpx2.Response(200, json=LISTED)
        self.requests: list[httpx2.Request] = []

    def provider(self, **settings: Any) -> HttpIceServers:
        return HttpIceServers(HttpConfig(**{"url": URL, **settings}), httpx2.MockTransport(self._handle))

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        reply = await self.reply() if callable(self.reply) else self.reply
        if isinstance(reply, Exception):
            raise reply
        return reply if callable(self.reply) else httpx2.Response(reply.status_code, content=reply.content)


@pytest.mark.parametrize(
    "document",
    [
        LISTED,
        {"iceServers": LISTED},
        {"ice_servers": LISTED, "ttl": "86400"},
        {"v": {"iceServers": LISTED}, "s": "ok"},
        {"iceServers": [{**item, "url": "stun:other.example"} for item in LISTED]},
        [*LISTED, {"urls": "http://x"}, {"urls": "turn:turn.example"}, "stun:a", None, {"urls": 7}],
    ],
)
def test_the_shapes_of_common_services_are_read(document: Any) -> None:
    assert read_ice_servers(json.dumps(document).encode()) == [STUN, TURN]


def test_a_single_server_and_older_spellings_are_read() -> None:
    body = json.dumps({"iceServers": {"urls": list(TURN.urls), "username": "user", "credential": "pass"}})
    assert read_ice_servers(body.encode()) == [TURN]
    assert read_ice_servers(b'[{"url": "stun:stun.example"}]') == [STUN]
    assert read_ice_servers(b"[]") == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"7", b"null", b'{"error": "no"}', b'[{"urls": "http://x"}]', b"\xff"]
)
def test_anything_else_is_no_answer(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        read_ice_servers(body)


async def test_calls_share_an_answer_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    endpoint = Endpoint()
    provider = endpoint.provider(cache=60)
    for _ in range(3):
        assert await provider.get_ice_servers(CALL) == [STUN, TURN]
    assert len(endpoint.requests) == 1
    await trio.sleep(61)
    await provider.get_ice_servers(CALL)
    assert len(endpoint.requests) == 2


async def test_each_call_has_its_own_answer_without_a_cache() -> None:
    endpoint = Endpoint()
    provider = endpoint.provider(cache=0)
    for _ in range(3):
        assert await provider.get_ice_servers(CALL) == [STUN, TURN]
    assert len(endpoint.requests) == 3


async def test_calls_at_the_same_time_make_one_request() -> None:
    endpoint = Endpoint()
    provider = endpoint.provider()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(provider.get_ice_servers, CALL)
    assert len(endpoint.requests) == 1


async def test_the_request_is_as_configured() -> None:
    endpoint = Endpoint()
    headers = {"Authorization": Secret("Bearer hunter2")}
    await endpoint.provider(method="POST", headers=headers, body='{"ttl": 86400}').get_ice_servers(CALL)
    [request] = endpoint.requests
    assert (request.method, str(request.url), request.content) == ("POST", URL.reveal(), b'{"ttl": 86400}')
    assert request.headers["authorization"] == "Bearer hunter2"
    assert request.headers["content-type"] == "application/json"


async def packed() -> Reply:
    return httpx2.Response(200, content=gzip.compress(b"[]"), headers={"content-encoding": "gzip"})


async def never() -> Reply:
    await trio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (httpx2.Response(503), "status 503"),
        (httpx2.Response(302, headers={"location": "http://other.example"}), "status 302"),
        (httpx2.ConnectError("refused by hunter2"), "ConnectError"),
        (httpx2.Response(200, content=b"<html>"), "expected JSON"),
        (httpx2.Response(200, content=b" " * (MAX_ANSWER + 1)), f"more than {MAX_ANSWER} bytes"),
        (packed, "a packed answer, which was asked as it is"),
        (never, "no answer in 0.8 s"),
    ],
)
async def test_an_outage_costs_one_line_and_ever_fewer_requests(
    failure: Any, reason: str, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level(logging.INFO, "glottis_ice_http")
    endpoint = Endpoint(failure)
    provider = endpoint.provider()
    for _ in range(300):
        assert await provider.get_ice_servers(CALL) == []
        await trio.sleep(1)
    assert caplog.messages == [f"ICE servers of http://ice.example left out while it fails: {reason}"]
    assert 5 < len(endpoint.requests) < 15
    endpoint.reply = httpx2.Response(200, json=LISTED)
    await trio.sleep(LONGEST_PAUSE)
    assert await provider.get_ice_servers(CALL) == [STUN, TURN]
    assert caplog.messages[1:] == ["ICE servers of http://ice.example: it answers again"]
    assert "hunter2" not in caplog.text


async def test_the_last_answer_serves_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    endpoint = Endpoint()
    provider = endpoint.provider(cache=60, keep=600)
    await provider.get_ice_servers(CALL)
    endpoint.reply = httpx2.Response(500)
    await trio.sleep(100)
    assert await provider.get_ice_servers(CALL) == [STUN, TURN]
    await trio.sleep(600)
    assert await provider.get_ice_servers(CALL) == []


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"url": Secret("ftp://example.org")}, "url: expected a URL"),
        ({"url": Secret("example.org")}, "url: expected a URL"),
        ({"body": "{}"}, "body: needs method"),
    ],
)
def test_what_could_never_work_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        HttpConfig(**{"url": URL, **settings})


async def test_a_real_endpoint_is_asked_over_tcp() -> None:
    body = json.dumps(LISTED).encode()

    async def serve(stream: trio.SocketStream) -> None:
        assert (await stream.receive_some()).startswith(b"GET /ice HTTP/1.1\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        await stream.send_all(head.encode() + body)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        port = listener.socket.getsockname()[1]
        provider = HttpIceServers(HttpConfig(url=Secret(f"http://127.0.0.1:{port}/ice")))
        assert await provider.get_ice_servers(CALL) == [STUN, TURN]
        nursery.cancel_scope.cancel()
