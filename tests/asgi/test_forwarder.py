"""Sessions for the clients of an ASGI application, on either event loop that it may run in."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import LocalError
from glottis.asgi import Caller, SessionForwarder
from glottis.asgi.forwarder import merged_untrusted
from glottis.contracts.errors import Malformed
from hypothesis import given
from hypothesis import strategies as st
from support.gateway import CONFIG, open_test_gateway
from support.http import Reply
from support.phone import open_exchange
from support.tls import make_certificate

KEY = "key-of-the-application"
KEYS = CONFIG.replace('"anonymous"', '"api-keys"') + f'\n[auth.settings.plain_keys]\nwebsite = "{KEY}"\n'
TRUSTING = KEYS.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
ADA = Caller(KEY, {"metadata": {"user": "ada"}})
WISH = b'{"campaignId": "echo", "METADATA": {"user": "eve"}}'
JSON = "application/json"
Answer = Callable[..., Awaitable[Reply]]


@given(
    st.binary(max_size=200) | st.dictionaries(st.text(), st.integers()).map(lambda value: json.dumps(value).encode())
)
def test_a_wish_has_the_last_word_of_the_application(body: bytes) -> None:
    """Fuzz: nothing but Malformed comes of ``merged_untrusted``."""
    try:
        merged = json.loads(merged_untrusted(body, {"campaignId": "echo"}))
    except Malformed:
        return
    assert {name: value for name, value in merged.items() if name.lower() == "campaignid"} == {"campaignId": "echo"}


async def run_on_asyncio(work: Callable[[], Awaitable[Reply]]) -> Reply:
    """In a thread of its own, as a server would."""

    async def main() -> Reply:
        return await work()

    return await trio.to_thread.run_sync(lambda: asyncio.run(main()))


async def run_on_trio(work: Callable[[], Awaitable[Reply]]) -> Reply:
    return await work()


@pytest.fixture(params=[run_on_asyncio, run_on_trio], ids=["asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Answer:
    """Send one request to an application, in an event loop of that kind."""

    async def ask(
        app: SessionForwarder,
        body: bytes = WISH,
        *,
        method: str = "POST",
        path: str = "/voice/initiate",
        query: bytes = b"",
        media_type: str = JSON,
        host: bytes = b"app.example",
        stalls: bool = False,
    ) -> Reply:
        headers = [(b"host", host), (b"content-type", media_type.encode())]
        scope = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": path,
            "root_path": "/voice",
            "query_string": query,
            "headers": headers,
            "client": ("192.0.2.7", 5000),
        }
        reply: Reply = await request.param(partial(speak, app, scope, body, stalls=stalls))
        return reply

    return ask


async def speak(app: SessionForwarder, scope: dict[str, Any], body: bytes, *, stalls: bool) -> Reply:
    """ASGI, from the server's side. A client that stalls does not send the end of its body."""
    parts = [body[: len(body) // 2], body[len(body) // 2 :]]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not parts:
            await (trio if trio.lowlevel.in_trio_run() else asyncio).Event().wait()
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts) or stalls}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, end = sent
    return Reply(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, end["body"])


async def everybody(scope: Any) -> Caller | None:
    return ADA


async def nobody(scope: Any) -> Caller | None:
    return None


@asynccontextmanager
async def a_server_that_says(data: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """To each request, and breaks off then; nothing is said of nothing."""

    async def serve(stream: Any) -> None:
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                return
        asked = b""
        while not asked.endswith(b"}"):
            asked += await stream.receive_some()
        if not data:
            await trio.sleep_forever()
        with suppress(trio.BrokenResourceError):  # Who has read enough hangs up.
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_application_says_who_calls_and_the_gateway_where(ask: Answer, tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path, TRUSTING) as gateway:
        reply = await ask(SessionForwarder(gateway.url, everybody))
        assert reply.status == 200
        assert reply.document["websocketUrl"].startswith("wss://app.example/ws/session/")
        (session,) = gateway.sessions
        info = session.info
        assert (info.principal.name, info.metadata, info.client_host) == ("website", {"user": "ada"}, "192.0.2.7")
        async with open_exchange(gateway) as exchange:
            phone = exchange.phone()
            phone.url = reply.document["websocketUrl"].replace("wss://app.example", gateway.url.replace("http", "ws"))
            await phone.open_socket()
            await phone.negotiate()
            await phone.hear()
        await gateway.stop(grace=0)


async def test_refusals_and_places_in_the_queue_are_passed_back(ask: Answer, tmp_path: Path) -> None:
    config = TRUSTING.replace("[server]\n", "[server]\nmax_sessions = 1\nqueue = 1\n")
    async with open_test_gateway(tmp_path, config) as gateway:
        app = SessionForwarder(gateway.url, everybody)
        refused = await ask(app, b'{"campaignId": "nobody"}')
        assert (refused.status, refused.document["code"]) == (404, "UNKNOWN_CAMPAIGN")
        await ask(app)
        queued = await ask(app)
        assert (queued.status, queued.document["place"], "retry-after" in queued.headers) == (202, 1, True)
        again = await ask(app, query=f"ticket={queued.document['ticket']}".encode())
        assert again.document["ticket"] == queued.document["ticket"]
        await gateway.stop(grace=0)


@pytest.mark.parametrize(
    ("asked", "identify", "status", "code"),
    [
        ({"path": "/voice/other"}, everybody, 404, "NOT_FOUND"),
        ({"method": "GET"}, everybody, 405, "METHOD_NOT_ALLOWED"),
        ({"media_type": "text/plain"}, everybody, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({}, nobody, 401, "UNAUTHENTICATED"),
        ({"body": b"x" * 65537}, everybody, 413, "BODY_TOO_LARGE"),
        ({"body": b"[" * 60000}, everybody, 400, "MALFORMED_JSON"),
        ({"host": b"a\nb"}, everybody, 400, "BAD_REQUEST"),
        ({}, everybody, 502, "GATEWAY_UNREACHABLE"),
    ],
)
async def test_what_needs_no_gateway(asked: dict[str, Any], identify: Any, status: int, code: str, ask: Answer) -> None:
    async with a_server_that_says(b"") as url:
        pass  # nobody listens there now
    reply = await ask(SessionForwarder(url, identify), **asked)
    assert (reply.status, reply.document["code"], reply.document["status"]) == (status, code, status)


async def test_client_that_stalls_is_refused_in_time(ask: Answer) -> None:
    reply = await ask(SessionForwarder("http://127.0.0.1:9", everybody, timeout=0.05), stalls=True)
    assert (reply.status, reply.document["code"]) == (408, "TIMEOUT")


async def test_client_that_leaves_before_the_end_of_its_wish_has_no_session() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": WISH, "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {"type": "http", "method": "POST", "path": "/initiate", "headers": [(b"content-type", JSON.encode())]}

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Mapping[str, Any]) -> None:
        raise AssertionError("nobody listens")

    await SessionForwarder("http://127.0.0.1:9", everybody)(scope, receive, send)
    assert not messages


HEAD = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (b"", 504, "GATEWAY_TIMEOUT"),
        (b"SSH-2.0\r\n\r\n", 502, "BAD_GATEWAY"),
        (HEAD % b"200 OK" + b"content-length: 9\r\n\r\n{", 502, "BAD_GATEWAY"),
        (HEAD % b"200 OK" + b"content-length: 200000\r\n\r\n" + bytes(200000), 502, "BAD_GATEWAY"),
        (HEAD % b"401 No" + b"content-length: 2\r\n\r\n{}", 502, "BAD_GATEWAY"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 502, "BAD_GATEWAY"),
    ],
)
async def test_gateways_that_answer_as_none_does(answer: bytes, status: int, code: str, ask: Answer) -> None:
    async with a_server_that_says(answer) as url:
        reply = await ask(SessionForwarder(url, everybody, timeout=5 if answer else 0.05))
    assert (reply.status, reply.document["code"]) == (status, code)
    assert KEY not in reply.body.decode()


async def test_gateways_behind_tls_are_those_of_their_certificates(ask: Answer, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with a_server_that_says(HEAD % b"200 OK" + b"content-length: 2\r\n\r\n{}", context) as url:
        for cafile, status in ((certificate[0], 200), (None, 502)):
            reply = await ask(SessionForwarder(url, everybody, tls=ssl.create_default_context(cafile=cafile)))
            assert reply.status == status


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://a", "http://"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(LocalError, match="the gateway's URL: expected one such as http"):
        SessionForwarder(url, everybody)
