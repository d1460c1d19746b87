"""The agent ``media-streams``, in a call in memory, with a bot in memory that takes it for Twilio."""

import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from glottis import CallInfo, CampaignInfo, ConfigurationError, Malformed, Secret
from glottis.testing import fake_call
from glottis.testing.fake_call import FakeCall
from glottis_media_streams import MediaStreamsConfig, media_streams
from glottis_media_streams.messages import read_message_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.socket_service import Peer, SocketService, socket_service

RATE = 8000
LOUD = b"\x7c\x3c"  # which µ-law has exactly
LOUD_LAW = b"\x91"
INFO = CallInfo("session-1", "bot", dynamic_variables={"name": "Ada", "age": 36})


def media(seconds: float, stream: str = "") -> dict[str, Any]:
    payload = base64.b64encode(LOUD_LAW * round(seconds * RATE)).decode()
    return {"event": "media", "streamSid": stream, "media": {"payload": payload}}


def mark(name: str) -> dict[str, Any]:
    return {"event": "mark", "streamSid": "", "mark": {"name": name}}


class Bot:
    """Takes all that it is told."""

    async def behave(self, peer: Peer) -> None:
        while True:
            await peer.receive()


@asynccontextmanager
async def attached(
    behave: Callable[[Peer], Awaitable[object]] | None = None, *, agents: Any = None, **others: Any
) -> AsyncIterator[tuple[FakeCall, SocketService]]:
    config = MediaStreamsConfig(url="wss://bot.example/media/", **others)
    async with socket_service(behave or Bot().behave) as service:
        agent = media_streams(config, connect=service.connect)
        async with fake_call(agent, sample_rate=RATE, info=INFO, agents=agents) as call:
            await trio.sleep(0.01)
            yield call, service


def told(service: SocketService, event: str) -> list[dict[str, Any]]:
    return [each for each in service.peer.said if each["event"] == event]


def seconds_heard(call: FakeCall) -> float:
    return sum(map(bool, memoryview(call.heard_pcm).cast("h"))) / RATE


async def test_a_bot_is_told_what_twilio_tells(autojump_clock: trio.testing.MockClock) -> None:
    async with attached(parameters={"shop": "vienna"}, api_key=Secret("correct-horse")) as (call, service):
        await call.caller_speaks(LOUD * RATE)
        await call.caller_presses("7")
        peer = service.peer
        call.caller_hangs_up()
        await trio.sleep(1)
    assert peer.path == "/media/"
    assert peer.headers["authorization"] == "Bearer correct-horse"
    connected, start, first, second = peer.said[:4]
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    stream = start["streamSid"]
    assert stream.startswith("MZ")
    assert len(stream) == 34
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream,
        "start": {
            "streamSid": stream,
            "accountSid": "",
            "callSid": "session-1",
            "tracks": ["inbound"],
            "customParameters": {"name": "Ada", "shop": "vienna"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    }
    assert first["media"].items() >= {"track": "inbound", "chunk": "1", "timestamp": "0"}.items()
    assert second["media"].items() >= {"track": "inbound", "chunk": "2", "timestamp": "20"}.items()
    heard = b"".join(base64.b64decode(each["media"]["payload"]) for each in told(service, "media"))
    assert heard.count(LOUD_LAW) == pytest.approx(RATE, rel=0.03)
    (key,) = told(service, "dtmf")
    assert key["dtmf"] == {"track": "inbound_track", "digit": "7"}
    numbered = [each for each in peer.said if each["event"] != "connected"]
    assert [each["sequenceNumber"] for each in numbered] == [str(number + 1) for number in range(len(numbered))]
    assert peer.said[-1]["event"] == "stop"
    assert peer.said[-1]["stop"] == {"accountSid": "", "callSid": "session-1"}


async def test_marks_are_told_when_what_was_before_them_has_been_played(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with attached() as (call, service):
        await service.peer.send(mark("at once"), media(0.5), media(0.5), mark("one"), media(1), mark("two"))
        await trio.sleep(0.9)
        assert [each["mark"]["name"] for each in told(service, "mark")] == ["at once"]
        await trio.sleep(1)
        assert [each["mark"]["name"] for each in told(service, "mark")] == ["at once", "one"]
        await trio.sleep(0.2)
        assert [each["mark"]["name"] for each in told(service, "mark")] == ["at once", "one", "two"]
    assert seconds_heard(call) == pytest.approx(2, abs=0.03)


async def test_clear_drops_what_waits_and_tells_its_marks(autojump_clock: trio.testing.MockClock) -> None:
    async with attached() as (call, service):
        await service.peer.send(media(1), mark("one"), media(5), mark("two"), media(5))
        await trio.sleep(2)
        await service.peer.send({"event": "clear", "streamSid": ""})
        await trio.sleep(0.1)
        before = seconds_heard(call)
        assert before == pytest.approx(2, abs=0.06)
        assert [each["mark"]["name"] for each in told(service, "mark")] == ["one", "two"]
        await service.peer.send(media(1))
        await trio.sleep(2)
        assert seconds_heard(call) - before == pytest.approx(1, abs=0.03)


async def test_a_bot_can_end_the_call_with_its_last_words(autojump_clock: trio.testing.MockClock) -> None:
    async def behave(peer: Peer) -> None:
        await peer.send(media(1))

    async with attached(behave) as (call, _):
        await call.ended.wait()
    assert seconds_heard(call) == pytest.approx(1, abs=0.03)
    assert call.hang_up_reason is None


@pytest.mark.slow
async def test_a_bot_that_says_more_than_can_wait_is_cut_off(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with attached() as (_, service):
        for _ in range(4):
            await service.peer.send(media(100))
        await trio.sleep(1)
    assert "100 s of what the bot of a call has said found no room" in caplog.messages


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["hello"], "it says what is no message of Media Streams: check url"),
        ([b"\xff\xfe"], "it says what is no message of Media Streams: check url"),
        ([{"event": "media", "media": {"payload": "****"}}], "it says what is no message of Media Streams: check url"),
        ([media(1), *[mark("x")] * 300], "it sets more than 256 marks: check url"),
        (None, "has ended the conversation (code 1011)"),
    ],
)
async def test_a_bot_that_fails_is_named_and_another_agent_takes_over(
    said: list[Any] | None, message: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    taken = trio.Event()

    async def other(call: Any) -> None:
        taken.set()
        await trio.sleep_forever()

    async def behave(peer: Peer) -> None:
        if said is None:
            await peer.connection.aclose(1011)
        else:
            await peer.send({"event": "of the future"}, *said)
            await Bot().behave(peer)

    async with attached(behave, when_failed="other", agents={"other": other}):
        await taken.wait()
    (line,) = caplog.messages
    assert line.startswith("the agent media-streams has failed: wss://bot.example")
    assert message in line


async def test_a_bot_that_is_not_there_ends_the_call_with_a_reason(autojump_clock: trio.testing.MockClock) -> None:
    config = MediaStreamsConfig(url="ws://127.0.0.1:9/", retries=0)
    async with fake_call(media_streams(config), sample_rate=RATE) as call:
        await call.ended.wait()
    assert call.hang_up_reason == "the service behind this agent has failed"


async def test_a_bot_that_vanishes_is_noticed(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.receive()
        await peer.stream.aclose()  # as of a process that is killed

    async with attached(behave) as (call, _):
        await call.ended.wait()
    assert "has ended the conversation (code 1006)" in caplog.text


def test_settings_that_do_not_fit_are_told_before_any_call() -> None:
    config = MediaStreamsConfig(url="wss://bot.example")
    with pytest.raises(ConfigurationError, match=r"^sample_rate: the agent media-streams has 8000 Hz, got 16000"):
        media_streams(config, CampaignInfo("bot", 16000))


@pytest.mark.slow
@given(st.binary(max_size=200) | st.from_regex(rb'\{"event": "(media|mark)", "(media|mark)": .{0,20}\}'))
def test_any_message_is_read_or_refused(message: bytes) -> None:
    """Fuzz: ``read_message_untrusted`` raises ``Malformed`` and nothing else."""
    try:
        read_message_untrusted(message)
    except Malformed:
        return
