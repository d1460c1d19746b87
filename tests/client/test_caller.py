"""Calls out, to a real gateway on loopback."""

import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio
from glottis import AudioFrame, Call, CodecSpec, Secret, TextMessage
from glottis.client import grant as client_session
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_call_over, open_client_call
from glottis.client.connection import CallFailed
from glottis.client.failures import why_closed
from glottis.client.grant import (
    create_session,
    parse_problem_untrusted,
    parse_queue_place_untrusted,
    parse_session_grant_untrusted,
)
from glottis.client.signaling import open_client_signaling
from glottis.contracts.errors import LocalError, Malformed
from glottis.ice import IceTiming
from glottis.media.endpoint import UdpEndpoint
from glottis.server.gateway import Gateway
from glottis.server.sessions.attendance import Attendance
from glottis.signaling.errors import WebSocketClosed
from glottis.wire.demux import PacketKind, classify, is_stun_response
from hypothesis import given, settings
from hypothesis import strategies as st
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.examples import examples
from support.gateway import CONFIG, open_test_gateway
from support.installed import installed_plugins
from support.memory import MemoryEndpoint, open_memory_exchange
from support.memory_call import open_memory_call
from support.patience import PATIENCE, PROCESS_PATIENCE
from support.phone import Exchange
from support.plugins import TestPlugin
from support.tls import make_certificate
from support.wires import open_wired_gateway
from trio.testing import MockClock

CODECS = installed_plugins().codecs


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path) as exchange:
        yield exchange


async def echo_channels(call: Call) -> None:
    """Writes back what is written, and by which channel it came."""
    async for message in call.messages:
        await call.send_text(f"{getattr(message, 'text', '')} by {message.channel}", message.channel)


async def test_texts_travel_by_a_data_channel_that_the_caller_opens(tmp_path: Path, autojump_clock: MockClock) -> None:
    plugin = TestPlugin(channels=echo_channels)
    wish = request_for("", campaign_id="channels", data_channel="chat")
    async with (
        open_memory_exchange(tmp_path, plugin.config(), [plugin]) as exchange,
        open_memory_call(exchange, wish) as call,
    ):
        assert await call.wait_for_channel("chat") == "chat"
        await call.send_text("hello")
        texts = [await anext(call.messages) for _ in range(2)]
    assert [(text.text, text.channel) for text in texts if isinstance(text, TextMessage)] == [
        ("Backend connected", "chat"),
        ("hello by chat", "chat"),
    ]


def codec(name: str) -> CodecSpec:
    return CODECS.find(name).spec


def request_for(url: str, name: str = "opus", **others: object) -> CallRequest:
    return CallRequest(url, (codec(name),), **others)  # type: ignore[arg-type]


async def say_all(say: Callable[[AudioFrame], Awaitable[None]], frames: list[AudioFrame]) -> None:
    for frame in frames:
        await say(frame)


LIKENESS = {"OPUS": 0.7, "G722": 0.9, "PCMU": 0.85, "PCMA": 0.85}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKENESS)
async def test_what_is_said_comes_back_with_every_codec(
    name: str, exchange: Exchange, autojump_clock: MockClock
) -> None:
    played, rate = read_wav(SPEECH)
    request = request_for("", name, sample_rate=rate, preferred_codec=name)
    heard = b""
    async with open_memory_call(exchange, request) as call:
        await call.connected.wait()
        call.nursery.start_soon(call.say, AudioFrame(played.astype("<i2").tobytes(), rate))
        async for frame in call.audio:
            heard += frame.pcm
            if len(heard) >= 2 * len(played):
                break
    assert similarity(from_pcm(heard), played, rate) > LIKENESS[name]


@pytest.mark.parametrize("sample_rate", [8000, 24000, 48000])
async def test_audio_has_the_rate_that_the_caller_asks_for(gateway: Gateway, sample_rate: int) -> None:
    async with open_client_call(request_for(gateway.url, campaign_id="talker", sample_rate=sample_rate)) as call:
        frame = await anext(call.audio)
        assert (frame.sample_rate, frame.sample_count) == (sample_rate, sample_rate // 50)


async def test_text_and_events_travel_both_ways(gateway: Gateway) -> None:
    async with open_client_call(request_for(gateway.url)) as call:
        await call.connected.wait()
        await call.send_text("hello")
        assert (await anext(call.messages)).text == "hello"  # type: ignore[union-attr]
        await call.send_event("zoom", {"level": 2})
        assert json.loads((await anext(call.messages)).text)["data"] == {"level": 2}  # type: ignore[union-attr]
        seen = [await anext(call.events) for _ in range(4)]
    assert {(event.name, event.data["state"]) for event in seen} == {
        ("state", "connecting"),
        ("connection", "connecting"),
        ("connection", "connected"),
        ("state", "active"),
    }


async def test_the_block_is_cancelled_when_the_gateway_hangs_up_and_the_reason_is_kept(gateway: Gateway) -> None:
    with trio.fail_after(PATIENCE):
        async with open_client_call(request_for(gateway.url)) as call:
            await call.connected.wait()
            await call.send_text("hangup")
            await trio.sleep_forever()
    assert call.end_reason == "the caller asked for it"
    assert call.failure is None


async def test_a_gateway_that_stops_says_so(gateway: Gateway) -> None:
    with trio.fail_after(PATIENCE):
        async with open_client_call(request_for(gateway.url)) as call:
            await call.connected.wait()
            await gateway.stop(grace=0)
            await trio.sleep_forever()
    assert call.end_reason == "the gateway stops"


async def test_leaving_the_block_hangs_up(gateway: Gateway) -> None:
    async with open_client_call(request_for(gateway.url)) as call:
        await call.connected.wait()
        assert len(gateway.sessions) == gateway.endpoint.sessions == 1
    gateway.sessions.drain()
    with trio.fail_after(PATIENCE):
        await gateway.sessions.wait_empty()
    assert gateway.endpoint.sessions == 0


async def test_a_cancelled_caller_says_goodbye(gateway: Gateway) -> None:
    with trio.CancelScope() as scope:
        async with open_client_call(request_for(gateway.url)) as call:
            await call.connected.wait()
            scope.cancel()
            await trio.sleep_forever()
    gateway.sessions.drain()
    with trio.fail_after(PATIENCE):
        await gateway.sessions.wait_empty()


async def test_an_error_in_the_block_comes_out_as_it_is(gateway: Gateway) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_client_call(request_for(gateway.url)):
            raise ZeroDivisionError


async def test_an_error_of_a_background_task_ends_the_call_and_comes_out_as_it_is(gateway: Gateway) -> None:
    async def fail() -> None:
        raise LocalError("no space left")

    async def call_and_fail() -> None:
        async with open_client_call(request_for(gateway.url)) as call:
            call.nursery.start_soon(fail)
            await trio.sleep_forever()

    with trio.fail_after(PATIENCE), pytest.raises(LocalError, match="no space left"):
        await call_and_fail()


async def test_statistics_count_both_directions(gateway: Gateway) -> None:
    frame = AudioFrame(bytes(1920), 48000)
    async with open_client_call(request_for(gateway.url)) as call:
        await call.connected.wait()
        audio = aiter(call.audio)
        call.nursery.start_soon(say_all, call.say, [frame] * 10)
        await anext(audio)
    statistics = call.statistics()
    assert statistics.inbound_rtp is not None
    assert statistics.inbound_rtp.packets_received > 0
    assert statistics.outbound_rtp is not None
    assert statistics.outbound_rtp.packets_sent > 0


# Gateways that refuse


async def test_an_unknown_campaign_is_refused_in_the_gateways_words(gateway: Gateway) -> None:
    with pytest.raises(CallFailed, match=r"Use a campaignId that .* \(UNKNOWN_CAMPAIGN\)$"):
        async with open_client_call(request_for(gateway.url, campaign_id="nope")):
            pass


async def test_codecs_that_the_gateway_does_not_have_are_refused_by_name(tmp_path: Path) -> None:
    async with open_test_gateway(tmp_path, CONFIG + '\n[media]\ncodecs = ["PCMU"]\n') as gateway:
        with trio.fail_after(PATIENCE), pytest.raises(CallFailed, match=r"opus.*\(NO_COMMON_CODEC\)"):
            async with open_client_call(request_for(gateway.url)):
                await trio.sleep_forever()


async def test_the_api_key_opens_the_door(tmp_path: Path) -> None:
    key = "k" * 32
    auth = f'scheme = "api-keys"\n[auth.settings]\nplain_keys = {{ tester = "{key}" }}'
    async with open_test_gateway(tmp_path, CONFIG.replace('scheme = "anonymous"', auth)) as gateway:
        async with open_client_call(request_for(gateway.url, api_key=Secret(key))) as call:
            await call.connected.wait()
        with pytest.raises(CallFailed, match="UNAUTHENTICATED"):
            async with open_client_call(request_for(gateway.url, api_key=Secret("wrong"))):
                pass


@pytest.mark.parametrize("key", ["k\r\nx: y", "schlüssel"])
async def test_a_key_that_is_no_header_is_the_callers_fault_and_not_shown(key: str) -> None:
    with pytest.raises(LocalError, match=r"^the API key: expected") as raised:
        async with open_client_call(request_for("http://127.0.0.1:1", api_key=Secret(key))):
            pass
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://h", "http://", "http://[::1", "http://h:99999", "http://u:p@h", "http://h/ä"]
)
async def test_a_url_that_cannot_be_called_is_the_callers_fault(url: str) -> None:
    with pytest.raises(LocalError, match=r"^the gateway's URL: expected"):
        async with open_client_call(request_for(url)):
            pass


async def test_nobody_listening_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = "{}:{}".format(*unused.getsockname())
    with pytest.raises(CallFailed, match=f"^cannot connect to {address}: Connection refused; nothing listens there"):
        async with open_client_call(request_for(f"http://{address}")):
            pass


class EmptyResolver(trio.abc.HostnameResolver):
    """Knows nobody."""

    async def getaddrinfo(self, *arguments: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *arguments: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_a_name_that_nobody_has_is_told_as_such() -> None:
    trio.socket.set_custom_hostname_resolver(EmptyResolver())  # of this test's event loop
    with pytest.raises(
        CallFailed, match=r"^cannot connect to h: Name or service not known; see whether the host's name"
    ):
        async with open_client_call(request_for("http://h")):
            pass


async def test_a_gateway_without_tls_is_called_by_http(gateway: Gateway) -> None:
    with pytest.raises(CallFailed, match=r"TLS failed: \w+; a gateway without TLS is called by http://$"):
        async with open_client_call(request_for(gateway.url.replace("http://", "https://"))):
            pass


async def test_a_public_url_that_leads_nowhere_is_blamed(tmp_path: Path) -> None:
    config = CONFIG.replace("port = 0", 'port = 0\npublic_url = "http://127.0.0.1:1"')
    async with open_test_gateway(tmp_path, config) as gateway:
        refusal = r"^cannot connect to 127\.0\.0\.1:1: Connection refused; .*see its server\.public_url$"
        with pytest.raises(CallFailed, match=refusal):
            async with open_client_call(request_for(gateway.url)):
                pass


def response(status: str, body: bytes = b"", *fields: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields])
    return f"{head}\r\n\r\n".encode() + body


async def serve_answers(nursery: trio.Nursery, *answers: bytes) -> str:
    """The URL of a server that gives each connection the next of these answers; ``{port}`` in them is its own."""
    remaining = iter(answers)

    async def serve(stream: trio.SocketStream) -> None:
        port = stream.socket.getsockname()[1]
        with suppress(trio.BrokenResourceError):  # Who has read enough hangs up.
            await stream.receive_some()
            await stream.send_all(next(remaining).replace(b"{port}", str(port).encode()))
            await stream.send_eof()
            while await stream.receive_some():
                pass

    listeners = await nursery.start(trio.serve_tcp, serve, 0)
    return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"


ODD_ANSWERS = {
    "silence": b"",
    "another protocol": b"220 mail.example ESMTP\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-",
    "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{",
    "a page": response("404 Not Found", b"<html>"),
    "no session": response("200 OK", b"{}"),
    "no WebSocket": response("200 OK", b'{"sessionId": "s", "websocketUrl": "http://127.0.0.1/"}'),
    "too much": response("200 OK", b" " * 100_000),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
async def test_what_is_no_gateway_is_told_in_one_line(answer: bytes, nursery: trio.Nursery) -> None:
    url = await serve_answers(nursery, answer)
    with (
        trio.fail_after(PATIENCE),
        pytest.raises(CallFailed, match=r"does not answer as a gateway does: .*; see whether"),
    ):
        async with open_client_call(request_for(url)):
            pass


TO_HTTPS = "location: https://voice.example.org/api/websession/initiate"
GRANT = b'HTTP/1.1 200 OK\r\n\r\n{"sessionId": "s", "websocketUrl": "ws://127.0.0.1:{port}/ws"}'
PROBLEM = b'{"detail": "The page is foreign.", "code": "ORIGIN_NOT_ALLOWED"}'
PROXIES = {
    "redirects": ([response("308 Permanent Redirect", b"", TO_HTTPS)], "call the gateway by https://voice.example.org"),
    "without a gateway": ([response("502 Bad Gateway", b"<html>")], "the gateway behind it does not (HTTP status 502)"),
    "without WebSockets": ([GRANT, response("404 Not Found", b"<html>")], "a proxy on the way may not pass WebSockets"),
    "a gateway's own refusal": ([GRANT, response("403 Forbidden", PROBLEM)], "foreign. (ORIGIN_NOT_ALLOWED)"),
}


@pytest.mark.parametrize(("answers", "sentence"), PROXIES.values(), ids=PROXIES)
async def test_what_a_proxy_does_to_a_call_is_told(answers: list[bytes], sentence: str, nursery: trio.Nursery) -> None:
    url = await serve_answers(nursery, *answers)
    with trio.fail_after(PATIENCE), pytest.raises(CallFailed, match=re.escape(sentence)):
        async with open_client_call(request_for(url)):
            pass


async def test_a_gateway_that_breaks_the_connection_is_told_as_such(nursery: trio.Nursery) -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)  # what is left unread makes the kernel answer with a reset
        stream.socket.close()

    listeners = await nursery.start(trio.serve_tcp, reset, 0)
    address = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    with (
        trio.fail_after(PATIENCE),
        pytest.raises(CallFailed, match=f"^{address} has broken the connection; see whether"),
    ):
        async with open_client_call(request_for(f"http://{address}")):
            pass


async def test_a_used_token_is_refused_with_the_gateways_reason(gateway: Gateway) -> None:
    grant = await client_session.create_session(gateway.url, {"campaignId": "echo"})
    request = request_for(gateway.url)

    @asynccontextmanager
    async def open_granted_call() -> AsyncIterator[ClientCall]:
        async with open_client_signaling(grant.websocket_url) as signaling:
            with UdpEndpoint.bind([signaling.local_host], 0) as endpoint:
                async with open_call_over(signaling, endpoint, request, grant.session_id) as call:
                    yield call

    async with open_granted_call() as call:
        await call.connected.wait()
        with trio.fail_after(PATIENCE):
            async with open_granted_call() as second:
                await trio.sleep_forever()
        assert isinstance(second.failure, CallFailed)
        assert "TOKEN_USED: " in str(second.failure)


# Calls that do not come about, or break


def let_pass(exchange: Exchange, passes: Callable[[bytes], bool]) -> None:
    """Of what the gateway sends by UDP, let nothing else get through."""
    assert isinstance(exchange.gateway.endpoint, MemoryEndpoint)
    exchange.gateway.endpoint.let_pass(passes)


async def be_patient(call: ClientCall) -> None:
    await trio.sleep_forever()


async def why_call_fails(
    opened: AbstractAsyncContextManager[ClientCall], during: Callable[[ClientCall], Awaitable[None]] = be_patient
) -> str:
    async def call_and_wait() -> None:
        async with opened as call:
            await during(call)
            await trio.sleep_forever()

    with trio.fail_after(PROCESS_PATIENCE), pytest.raises(CallFailed) as failure:
        await call_and_wait()
    return str(failure.value)


async def why_memory_call_fails(
    exchange: Exchange, during: Callable[[ClientCall], Awaitable[None]] = be_patient, **options: Any
) -> str:
    request = request_for("", campaign_id="talker", **options)
    return await why_call_fails(open_memory_call(exchange, request), during)


@pytest.mark.slow
async def test_blocked_udp_is_told_as_such_when_time_is_up(exchange: Exchange, autojump_clock: MockClock) -> None:
    let_pass(exchange, lambda data: False)
    late = "the call did not come about: no media connection within 15 s: no UDP gets through"
    patient = IceTiming(patience=20.0)
    assert (await why_memory_call_fails(exchange, ice_timing=patient)).startswith(late)


@pytest.mark.slow
async def test_blocked_udp_is_told_as_such_when_ice_gives_up(exchange: Exchange, autojump_clock: MockClock) -> None:
    let_pass(exchange, lambda data: False)
    why = await why_memory_call_fails(exchange, ice_timing=IceTiming(patience=10.0))
    assert why.startswith("the call did not come about: no UDP gets through")


@pytest.mark.slow
async def test_a_handshake_that_does_not_end_is_no_matter_of_udp(exchange: Exchange, autojump_clock: MockClock) -> None:
    let_pass(exchange, lambda data: classify(data) is not PacketKind.DTLS)
    why = await why_memory_call_fails(exchange)
    assert why.endswith("UDP gets through, but the DTLS handshake has not come to its end")


async def test_an_offer_that_is_not_answered_is_no_matter_of_udp(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(Attendance, "take", lambda attendance, message: None)
    why = await why_memory_call_fails(exchange)
    assert why.endswith("the gateway has not answered the offer; its log may say why")


async def test_media_that_stops_for_good_is_told_apart_from_media_that_never_came(
    exchange: Exchange, autojump_clock: MockClock
) -> None:
    hasty = IceTiming(consent_interval=0.1, consent_lifetime=0.5)

    async def stop_answering(call: ClientCall) -> None:
        await call.connected.wait()
        let_pass(exchange, lambda data: not is_stun_response(data))  # the gateway keeps the caller's consent

    why = await why_memory_call_fails(exchange, stop_answering, ice_timing=hasty, setup_timeout=1.0)
    assert why.startswith("the gateway does not answer by UDP any more: ")


async def test_an_agent_that_fails_is_no_fault_of_the_callers(tmp_path: Path) -> None:
    async def stumble(call: Call) -> None:
        await anext(aiter(call.messages))
        raise RuntimeError

    async def write(call: ClientCall) -> None:
        await call.connected.wait()
        await call.send_text("go")

    plugin = TestPlugin(stumble=stumble)
    async with open_test_gateway(tmp_path, plugin.config(), [plugin]) as gateway:
        request = request_for(gateway.url, campaign_id="stumble")
        why = await why_call_fails(open_client_call(request), write)
    assert why == "the gateway or its agent has failed; the gateway's log says why"


@pytest.mark.parametrize("connected", [True, False])
async def test_a_lost_socket_is_no_matter_of_udp(connected: bool, tmp_path: Path) -> None:
    async with open_wired_gateway(tmp_path, CONFIG.replace("[server]", "[server]\nresume_grace = 0", 1)) as (_, wires):
        wires.udp.lets_out = lambda data: connected

        async def lose_socket(call: ClientCall) -> None:
            if connected:
                await call.connected.wait()
            wires.cut()

        prefix = "" if connected else "the call did not come about: "
        lost = f"{prefix}the signaling connection was lost: the gateway was killed, or "
        why = await why_call_fails(open_client_call(request_for(wires.url, campaign_id="talker")), lose_socket)
        assert why.startswith(lost)


@pytest.mark.parametrize(
    ("code", "reason", "sentence"),
    [
        (1001, "", "the gateway, or a proxy before it, goes away; call again once it is back"),
        (1008, "TOKEN_USED: create another", "TOKEN_USED: create another"),
        (1011, "internal error", "the gateway or its agent has failed; the gateway's log says why"),
        (1012, "the gateway is shutting down", "the gateway stops or restarts; call again once it is back"),
        (1013, "TOO_SLOW: read the messages that are sent", "TOO_SLOW: read the messages that are sent"),
        (1013, "", "the gateway has closed the signaling connection with 1013"),
    ],
)
def test_a_close_code_is_told_in_words(code: int, reason: str, sentence: str) -> None:
    assert why_closed(WebSocketClosed(code, reason)) == sentence


# Other ways to a gateway


async def test_a_gateway_with_an_ipv6_address_is_called_from_one(tmp_path: Path) -> None:
    config = CONFIG.replace("port = 0", 'host = "::1"\nport = 0')
    async with open_test_gateway(tmp_path, config) as gateway, open_client_call(request_for(gateway.url)) as call:
        await call.connected.wait()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path)


async def forward(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while data := await source.receive_some(65536):
            await sink.send_all(data)
    await trio.aclose_forcefully(source)
    await trio.aclose_forcefully(sink)


async def test_https_urls_are_called_over_tls_and_only_with_a_trusted_certificate(
    tmp_path: Path,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    nursery: trio.Nursery,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1", https_compatible=True)
    url = f"https://127.0.0.1:{listeners[0].transport_listener.socket.getsockname()[1]}"  # type: ignore[attr-defined]
    async with open_test_gateway(tmp_path, CONFIG.replace("port = 0", f'port = 0\npublic_url = "{url}"')) as gateway:
        port = int(gateway.url.rpartition(":")[2])

        async def proxy(outside: trio.abc.Stream) -> None:
            try:
                await outside.do_handshake()  # type: ignore[attr-defined]
            except trio.BrokenResourceError:
                return
            inside = await trio.open_tcp_stream("127.0.0.1", port)
            nursery.start_soon(forward, outside, inside)
            await forward(inside, outside)

        nursery.start_soon(trio.serve_listeners, proxy, listeners)
        with pytest.raises(CallFailed, match=r"its certificate is not trusted: self.signed certificate"):
            async with open_client_call(request_for(url)):
                pass
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        with trio.fail_after(PATIENCE):
            async with open_client_call(request_for(url)) as call:
                await call.connected.wait()


# What gateways answer


async def test_caller_waits_in_the_queue_of_a_gateway_without_room(tmp_path: Path) -> None:
    config = CONFIG.replace("port = 0", "port = 0\nmax_sessions = 1\nqueue = 8")
    places: list[int] = []
    async with open_test_gateway(tmp_path, config) as gateway:
        first = await create_session(gateway.url, {"campaignId": "echo"})

        def hang_up(place: int) -> None:
            places.append(place)
            session = gateway.sessions.find(first.session_id)
            assert session is not None
            session.end("enough")

        with trio.fail_after(PATIENCE):
            async with open_client_call(request_for(gateway.url), waits=hang_up):
                assert len(gateway.sessions) == 1
    assert places == [1]


@pytest.mark.parametrize(
    "answer",
    [
        {"place": 1, "retryAfterSeconds": 2},
        {"ticket": "t", "place": 0, "retryAfterSeconds": 2},
        {"ticket": "t", "place": True, "retryAfterSeconds": 2},
        {"ticket": "t", "place": 1, "retryAfterSeconds": 0},
        {"ticket": "t", "place": 1, "retryAfterSeconds": 1e9},
        {"ticket": "t", "place": 1, "retryAfterSeconds": "2"},
    ],
)
def test_a_place_that_makes_no_sense_is_no_place(answer: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        parse_queue_place_untrusted(json.dumps(answer).encode())


def test_a_problem_is_told_in_one_line() -> None:
    assert parse_problem_untrusted(b'{"detail": "Wait\\n a bit.", "code": "FULL"}') == "Wait a bit. (FULL)"
    assert parse_problem_untrusted(b'{"detail": "No."}') == "No."


def test_a_grant_does_not_show_its_token() -> None:
    grant = parse_session_grant_untrusted(b'{"sessionId": "s", "websocketUrl": "wss://h/ws?token=secret"}')
    assert grant.websocket_url.endswith("secret")
    assert "secret" not in repr(grant)


ANSWERS = st.one_of(
    st.binary(max_size=100),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(st.text(), st.integers(), st.floats(), st.just("ws://[::1"), st.just("ws://h:x"))
            for name in ("sessionId", "websocketUrl", "detail", "code", "ticket", "place", "retryAfterSeconds")
        },
    ).map(lambda fields: json.dumps(fields).encode()),
)


@pytest.mark.slow
@pytest.mark.parametrize("parse", [parse_session_grant_untrusted, parse_problem_untrusted, parse_queue_place_untrusted])
def test_any_answer_is_read_or_malformed(parse: Callable[[bytes], object]) -> None:
    """Fuzz: parse_session_grant_untrusted, parse_problem_untrusted, parse_queue_place_untrusted: Malformed only."""

    @settings(max_examples=examples(300), derandomize=True)
    @given(ANSWERS)
    def check(body: bytes) -> None:
        with suppress(Malformed):
            parse(body)

    check()
