import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from glottis.contracts.errors import LocalError
from glottis.server.sessions.channel import SignalingLimits, open_signaling, reject
from glottis.signaling.errors import WebSocketClosed
from glottis.signaling.messages import Answer, Audio, Bye, Error, Event, Offer, Text, TrickledCandidate

Clock = trio.testing.MockClock


class FakeSocket:
    """Records what is sent; gives what the test feeds."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed: WebSocketClosed | None = None
        self.readable = trio.Event()
        self.readable.set()
        self.feed, self._incoming = trio.open_memory_channel[str | bytes](100)

    async def receive(self) -> str | bytes:
        try:
            return await self._incoming.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise self.closed or WebSocketClosed(1001, "gone") from None

    async def send(self, *messages: str | bytes) -> None:
        await self.readable.wait()
        for message in messages:
            is_audio = isinstance(message, bytes)
            self.sent.append({"type": "audio", "data": message} if is_audio else json.loads(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = self.closed or WebSocketClosed(code, reason)
        await self._incoming.aclose()

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.sent]


@pytest.fixture
def socket() -> FakeSocket:
    return FakeSocket()


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_client_messages_are_received_in_order(socket: FakeSocket) -> None:
    async with open_signaling(socket) as channel:
        await socket.feed.send('{"type":"offer","sdp":"v=0"}')
        await socket.feed.send('{"type":"candidate"}')
        assert [await channel.receive(), await channel.receive()] == [Offer("v=0"), TrickledCandidate("")]


async def test_nothing_of_ours_comes_before_the_answer(socket: FakeSocket) -> None:
    async with open_signaling(socket) as channel:
        channel.send(TrickledCandidate("candidate:1"))
        channel.send(Event("state", {"state": "connecting"}))
        channel.send(Error("X", "about the offer"))
        await settle()
        assert socket.types == ["error"]
        channel.send(Answer("v=0"))
        channel.send(Text("hello"))
        await settle()
        assert socket.types == ["error", "answer", "candidate", "event", "text"]


async def test_bad_messages_are_logged_without_their_text_until_they_end_the_channel(
    autojump_clock: Clock, socket: FakeSocket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with open_signaling(socket, SignalingLimits(error_burst=2), session_id="s-1") as channel:
        for _ in range(50):
            await socket.feed.send('{"type":"secret"}')
        with pytest.raises(WebSocketClosed):
            await channel.receive()
    assert len(caplog.records) == 3
    assert (
        caplog.records[0].getMessage().startswith("session s-1: message refused: UNKNOWN_TYPE: type: expected one of")
    )
    assert "secret" not in caplog.text


async def test_resumed_session_sends_at_once(socket: FakeSocket) -> None:
    async with open_signaling(socket, answered=True) as channel:
        channel.send(Text("hello again"))
        await settle()
        assert socket.types == ["text"]


async def test_bad_messages_are_answered_and_skipped(socket: FakeSocket) -> None:
    async with open_signaling(socket) as channel:
        for bad in ("nonsense", '{"type":"dance"}', '{"type":"offer"}'):
            await socket.feed.send(bad)
        await socket.feed.send('{"type":"text","text":"good"}')
        assert await channel.receive() == Text("good")
        await settle()
        codes = [message["code"] for message in socket.sent]
        assert codes == ["MALFORMED_JSON", "UNKNOWN_TYPE", "MISSING_FIELD"]
        assert all(message["message"] for message in socket.sent)


async def test_audio_that_a_client_does_not_read_is_dropped_from_its_beginning(socket: FakeSocket) -> None:
    async with open_signaling(socket, SignalingLimits(max_queued_audio=3), answered=True) as channel:
        socket.readable = trio.Event()
        assert channel.play(b"0") == 0
        await settle()
        assert [channel.play(b"%d" % number) for number in range(1, 6)] == [0, 0, 0, 1, 1]
        channel.send(Text("not behind it"))
        socket.readable.set()
        await settle()
        assert socket.types == ["audio", "text", "audio", "audio", "audio"]
        assert [message["data"] for message in socket.sent if "data" in message] == [b"0", b"3", b"4", b"5"]


async def test_audio_that_is_not_to_be_heard_any_more_is_not_sent(socket: FakeSocket) -> None:
    async with open_signaling(socket, answered=True) as channel:
        socket.readable = trio.Event()
        channel.play(b"in flight")
        await settle()
        channel.play(b"late")
        channel.stop_playing()
        channel.send(Event("flush"))
        socket.readable.set()
        await settle()
        assert socket.types == ["audio", "event"]
        await channel.close()
        assert channel.play(b"after the end") == 0


async def test_binary_messages_are_audio_for_whoever_takes_it(socket: FakeSocket) -> None:
    async with open_signaling(socket) as channel:
        await socket.feed.send(b"\x00")
        assert await channel.receive() == Audio(b"\x00")


async def test_too_many_bad_messages_end_the_channel(autojump_clock: Clock, socket: FakeSocket) -> None:
    async with open_signaling(socket, SignalingLimits(errors_per_minute=60, error_burst=5)) as channel:
        for _ in range(20):
            await socket.feed.send("nonsense")
        with pytest.raises(WebSocketClosed) as raised:
            await channel.receive()
    assert raised.value.code == 1008
    assert socket.closed is not None
    assert socket.closed.code == 1008
    assert socket.types == ["error"] * 5


async def test_a_bad_message_now_and_then_is_forgiven(
    autojump_clock: Clock, socket: FakeSocket, nursery: trio.Nursery
) -> None:
    async def feed() -> None:
        for _ in range(50):
            await socket.feed.send("nonsense")
            await trio.sleep(2)
        await socket.feed.send('{"type":"bye"}')

    async with open_signaling(socket, SignalingLimits(errors_per_minute=30, error_burst=5)) as channel:
        nursery.start_soon(feed)
        assert await channel.receive() == Bye()


async def test_client_that_does_not_read_is_closed_with_1013(autojump_clock: Clock, socket: FakeSocket) -> None:
    socket.readable = trio.Event()
    async with open_signaling(socket, SignalingLimits(max_queued_messages=10), answered=True) as channel:
        for number in range(30):
            channel.send(Text(str(number)))
            await trio.lowlevel.checkpoint()
        with pytest.raises(WebSocketClosed) as raised:
            await channel.receive()
    assert raised.value.code == 1013


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("text", ["a" * 4000, "😀" * 1000])
async def test_queued_bytes_are_bounded(resumed: bool, text: str, autojump_clock: Clock, socket: FakeSocket) -> None:
    socket.readable = trio.Event()
    async with open_signaling(socket, SignalingLimits(max_queued_bytes=10_000), answered=resumed) as channel:
        for _ in range(3):
            channel.send(Text(text))
        with pytest.raises(WebSocketClosed):
            await channel.receive()
    assert socket.closed is not None
    assert socket.closed.code == 1013


async def test_what_was_sent_does_not_count(socket: FakeSocket) -> None:
    async with open_signaling(socket, SignalingLimits(max_queued_bytes=10_000), answered=True) as channel:
        for _ in range(20):
            channel.send(Text("a" * 4000))
            await settle()
    assert len(socket.sent) == 20


async def test_close_sends_first_what_is_queued(socket: FakeSocket) -> None:
    async with open_signaling(socket) as channel:
        channel.send(Answer("v=0"))
        channel.send(Bye("agent hung up"))
        await channel.close(1000, "agent hung up")
        channel.send(Text("too late"))
    assert socket.types == ["answer", "bye"]
    assert socket.closed is not None
    assert (socket.closed.code, socket.closed.reason) == (1000, "agent hung up")


async def test_close_does_not_wait_for_long(autojump_clock: Clock, socket: FakeSocket) -> None:
    socket.readable = trio.Event()
    async with open_signaling(socket, SignalingLimits(flush_timeout=2)) as channel:
        channel.send(Bye("x"))
        await settle()
        started = trio.current_time()
        await channel.close(1012, "restart")
        assert trio.current_time() - started == pytest.approx(2)
    assert socket.closed is not None
    assert socket.closed.code == 1012


async def test_clients_close_reaches_the_receiver_and_ends_the_sending(socket: FakeSocket) -> None:
    async with open_signaling(socket, answered=True) as channel:
        await socket.feed.aclose()
        with pytest.raises(WebSocketClosed, match="1001: 'gone'"):
            await channel.receive()
        channel.send(Text("nobody hears this"))
        await channel.close()
    assert socket.types == []


async def test_event_that_json_cannot_say_is_its_senders_error(socket: FakeSocket) -> None:
    async with open_signaling(socket) as channel:
        with pytest.raises(LocalError):
            channel.send(Event("x", {"a": object()}))


async def test_rejection_closes_with_a_readable_reason(socket: FakeSocket) -> None:
    await reject(socket, "TOKEN_EXPIRED", "create a new session")
    assert socket.closed is not None
    assert (socket.closed.code, socket.closed.reason) == (1008, "TOKEN_EXPIRED: create a new session")


async def test_channel_works_over_a_real_websocket(
    autojump_clock: Clock, site: Any, open_client_websocket: Callable[..., Any]
) -> None:
    async def talk(request: object, websocket: Any) -> None:
        async with open_signaling(websocket) as channel:
            offer = await channel.receive()
            assert isinstance(offer, Offer)
            channel.send(TrickledCandidate("candidate:1"))
            channel.send(Answer(offer.sdp.upper()))
            channel.send(Bye("done"))
            await channel.close(1000, "done")

    site.talk = talk
    client = await open_client_websocket(site.server())
    await client.send_message("nonsense")
    await client.send_message('{"type":"offer","sdp":"v=0"}')
    received = [json.loads(await client.get_message()) for _ in range(4)]
    assert [message["type"] for message in received] == ["error", "answer", "candidate", "bye"]
    assert received[1]["sdp"] == "V=0"
