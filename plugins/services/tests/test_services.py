"""What all services share: connections that are used again, addresses, and audio as it comes."""

import gc
from contextlib import suppress

import h11
import pytest
import trio
import trio.abc
import trio.testing
import trio_websocket
from glottis import AudioFrame, ConfigurationError, Malformed, Secret
from glottis_services import HttpService, PcmReader, ServiceConfig, ServiceFailed
from glottis_services.errors import code_in
from glottis_services.sse import EventReader
from glottis_services.websocket import open_socket
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.slow


class LoopbackServer:
    """Answers each request with its path, and counts connections."""

    def __init__(self) -> None:
        self.connections = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        target = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                target = event.target
            elif isinstance(event, h11.EndOfMessage):
                head = h11.Response(status_code=200, headers=[("Content-Length", str(len(target)))])
                for each in (head, h11.Data(target), h11.EndOfMessage()):
                    await stream.send_all(connection.send(each) or b"")
                connection.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed):
                return


async def ask(url: str, path: str, **others: object) -> bytes:
    service = HttpService(ServiceConfig(url=url, **others))  # type: ignore[arg-type]
    async with service.post(path, {}, json={}) as answer:
        return await answer.whole()


def test_a_connection_is_used_by_the_calls_after_this_and_closed_at_the_end() -> None:
    server = LoopbackServer()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, server.serve, 0)
            url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1/"
            assert [await ask(url, f"/{number}") for number in range(3)] == [b"/v1/0", b"/v1/1", b"/v1/2"]
            nursery.cancel_scope.cancel()

    trio.run(main)
    gc.collect()  # what is not closed warns, and that is an error
    assert server.connections == 1


async def test_a_service_that_is_not_there_is_named() -> None:
    with pytest.raises(ServiceFailed, match=r"^http://127.0.0.1:9 cannot be reached \(ConnectError\): check url$"):
        await ask("http://127.0.0.1:9/v1", "/", retries=0)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
async def test_a_key_that_no_header_takes_is_not_shown(key: str) -> None:
    with pytest.raises(ServiceFailed) as raised:
        await ask("http://127.0.0.1:9/v1", "/", headers={"X-Key": Secret(key)}, retries=0)
    assert key not in str(raised.value)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "nul\0"])
async def test_a_key_that_no_handshake_takes_is_not_shown(key: str) -> None:
    config = ServiceConfig(url="ws://example.org", headers={"X-Key": Secret(key)})
    ours, _ = trio.testing.memory_stream_pair()

    async def connect() -> trio.abc.Stream:
        return ours

    with pytest.raises(ServiceFailed, match=r"api_key and headers must be printable ASCII$") as raised:
        async with open_socket(config, "/", {}, {}, connect):
            raise AssertionError("it was asked")
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"",
    ],
    ids=["garbage", "forged", "broken chunk", "nothing"],
)
async def test_what_is_no_handshake_is_the_services_failure(
    answer: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    config = ServiceConfig(url="ws://example.org", retries=1)
    asked = 0
    async with trio.open_nursery() as nursery:

        async def behave(stream: trio.abc.Stream) -> None:
            await stream.receive_some()
            await stream.send_all(answer)
            await stream.aclose()

        async def connect() -> trio.abc.Stream:
            nonlocal asked
            asked += 1
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(behave, theirs)
            return ours

        with pytest.raises(ServiceFailed, match=r"^ws://example\.org "):
            async with open_socket(config, "/", {}, {}, connect):
                raise AssertionError("it is no WebSocket")
    assert asked == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "http://a:b@c/",
        "http://c/?key=1",
        "http://c:99999/",
        "http://c:0",
        "http://c/#a",
        "http://[c/",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^url: expected one such as https://api\.example\.org/v1"):
        ServiceConfig(url=url)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"code": "invalid_api_key", "type": "x"}}', "invalid_api_key"),
        (b'{"error": {"code": 400, "type": "invalid_request_error"}}', "invalid_request_error"),
        (b'{"detail": {"status": "quota_exceeded"}}', "quota_exceeded"),
        (b'{"error": {"code": "the key sk-1 is wrong"}}', ""),
        (b'{"error": "no"}', ""),
        (b"<html>", ""),
    ],
)
def test_only_names_of_errors_are_told(body: bytes, code: str) -> None:
    assert code_in(body) == code


@given(st.lists(st.binary(max_size=60)), st.booleans())
def test_any_audio_is_played_or_refused(parts: list[bytes], is_wav: bool) -> None:
    """Fuzz: ``PcmReader.feed_untrusted`` raises ``Malformed`` and nothing else."""
    reader = PcmReader(24000)
    try:
        for part in [b"RIFF1234WAVE" if is_wav else b"", *parts]:
            frame = reader.feed_untrusted(part)
            assert frame is None or isinstance(frame, AudioFrame)
    except Malformed:
        return


@given(st.lists(st.sampled_from([b"data:", b"data: a", b"\n", b"\r\n", b"x"]), max_size=20), st.integers(1, 9))
def test_events_are_the_same_however_they_are_split(pieces: list[bytes], size: int) -> None:
    """Fuzz: ``feed_untrusted`` of ``EventReader``, which ``event_data_untrusted`` asks, raises ``Malformed`` alone."""
    stream = b"".join(pieces)
    whole, split = EventReader(), EventReader()
    found = [each for at in range(0, len(stream), size) for each in split.feed_untrusted(stream[at : at + size])]
    assert [*found, split.rest()] == [*whole.feed_untrusted(stream), whole.rest()]


def test_an_event_of_empty_lines_does_not_grow_without_end() -> None:
    with pytest.raises(Malformed, match="expected events of at most"):
        EventReader().feed_untrusted(b"data:\n" * 300_000)


async def test_a_websocket_is_opened_by_tcp_and_closed_with_the_block() -> None:
    said = list[str | bytes]()

    async def serve(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(nursery, stream)
            connection = await request.accept()
            await connection.send_message(f'"{request.path}"')
            with suppress(trio_websocket.ConnectionClosed):
                while True:
                    said.append(await connection.get_message())
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        config = ServiceConfig(url=f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1")
        async with open_socket(config, "/listen", {"words": ["a", "b"]}, {"X-Key": "k"}) as socket:
            assert await socket.receive() == b'"/v1/listen?words=a&words=b"'
            await socket.send({"type": "Close"})
            await socket.send(b"\x00\x01")
        nursery.cancel_scope.cancel()
    assert said == ['{"type":"Close"}', b"\x00\x01"]


async def test_a_host_that_takes_no_websocket_is_named() -> None:
    with pytest.raises(ServiceFailed, match=r"^ws://127\.0\.0\.1:9 cannot be reached \(OSError\): check url$"):
        async with open_socket(ServiceConfig(url="ws://127.0.0.1:9", retries=0), "", {}, {}):
            pass


async def test_an_error_of_our_own_stays_what_it_is() -> None:
    server, client = trio.testing.memory_stream_pair()

    async def connect() -> trio.abc.Stream:
        return client

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            await (await trio_websocket.wrap_server_stream(nursery, server)).accept()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.RaisesGroup(KeyError, flatten_subgroups=True):
            async with open_socket(ServiceConfig(url="ws://service.example"), "", {}, {}, connect):
                raise KeyError("mine")
