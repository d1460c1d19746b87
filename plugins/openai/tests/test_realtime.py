"""The agent ``openai-realtime``, in a call in memory, with a service in memory."""

import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from glottis import CampaignInfo, Component, ConfigurationError, Malformed, Secret, TextMessage
from glottis.testing import fake_call
from glottis.testing.fake_call import FakeCall
from glottis_openai import RealtimeConfig, realtime
from glottis_openai.realtime_events import read_event_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.realtime import RATE, Model, called, created, delta, done, event, spoken
from support.socket_service import SocketService, socket_service
from support.talking import LOUD, Loudness

KEY = "sk-correct-horse-battery"
UNAUTHORIZED = b'HTTP/1.1 401 No\r\nContent-Length: 38\r\n\r\n{"error": {"code": "invalid_api_key"}}'
BUSY = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


def loud(seconds: float) -> bytes:
    return LOUD * round(seconds * RATE)


def quiet(seconds: float) -> bytes:
    return bytes(2) * round(seconds * RATE)


@asynccontextmanager
async def talking(
    model: Model,
    *,
    tools: Any = (),
    agents: Any = None,
    prepare: Callable[[SocketService], None] = lambda _: None,
    **others: Any,
) -> AsyncIterator[tuple[FakeCall, SocketService]]:
    config = RealtimeConfig(**{"url": "https://model.example/v1", "api_key": Secret(KEY), **others})
    async with socket_service(model.behave) as service:
        prepare(service)
        agent = realtime(config, tools=tools, connect=service.connect)
        async with fake_call(agent, sample_rate=RATE, agents=agents) as call:
            yield call, service


def transcripts(call: FakeCall) -> list[tuple[str, str, bool]]:
    said = [data for name, data in call.sent_events if name == "transcript"]
    return [(data["role"], data["text"], data.get("interrupted", False)) for data in said]


def states(call: FakeCall) -> list[str]:
    return [data["state"] for name, data in call.sent_events if name == "agent_state"]


def types_of(service: SocketService) -> list[str]:
    """Of what it was told, but for the caller's voice."""
    return [each["type"] for each in service.peer.said if each["type"] != "input_audio_buffer.append"]


def seconds_heard(call: FakeCall) -> float:
    return sum(map(bool, memoryview(call.heard_pcm).cast("h"))) / RATE


async def test_a_caller_is_heard_and_answered(autojump_clock: trio.testing.MockClock) -> None:
    model = Model()
    async with talking(model, instructions="Be kind.", transcription_model="scribe") as (call, service):
        await call.caller_speaks(loud(1))
        await model.say(
            service.peer,
            event("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0),
            event("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=1000),
            event("conversation.item.input_audio_transcription.completed", item_id="u", transcript="Time?\n"),
            created(),
            *spoken("a", "It is five.", loud(1.5)),
            done(),
        )
        await trio.sleep(2)
    peer = service.peer
    assert peer.path == "/v1/realtime?model=gpt-realtime-2"
    assert peer.headers["authorization"] == f"Bearer {KEY}"
    heard = b"".join(
        base64.b64decode(each["audio"]) for each in peer.said if each["type"] == "input_audio_buffer.append"
    )
    assert heard.count(LOUD) == pytest.approx(RATE, rel=0.03)
    assert seconds_heard(call) == pytest.approx(1.5, abs=0.03)
    assert transcripts(call) == [("user", "Time?", False), ("agent", "It is five.", False)]
    assert states(call) == ["listening", "thinking", "speaking", "listening"]
    assert types_of(service) == ["session.update"]
    session = peer.said[0]["session"]
    assert session["instructions"] == "Be kind."
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["input"]["transcription"] == {"model": "scribe"}
    assert [tool["name"] for tool in session["tools"]] == ["hang_up"]


async def test_one_who_interrupts_is_obeyed_and_the_model_told_what_was_heard(
    autojump_clock: trio.testing.MockClock,
) -> None:
    text = "Our shop opens at nine and closes at six."
    item = spoken("a", text, loud(4))
    model = Model([created(), *item[:-2]])
    async with talking(model) as (call, service):
        call.caller_writes(TextMessage("When?"))
        await trio.sleep(2)
        assert call.is_speaking
        late = [item[-2], item[-1], done("cancelled")]
        await model.say(service.peer, event("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0), *late)
        await trio.sleep(0.05)
        before = len(call.heard_pcm)
        await trio.sleep(2)
        assert len(call.heard_pcm) == before
    (told,) = [each for each in service.peer.said if each["type"] == "conversation.item.truncate"]
    assert told["item_id"] == "a"
    assert told["audio_end_ms"] == pytest.approx(1000 * seconds_heard(call), abs=21)
    (_, agent) = transcripts(call)
    assert agent[2]
    assert text.startswith(agent[1])
    assert len(agent[1]) < len(text)


@pytest.mark.slow
async def test_turns_can_be_told_by_a_detector_of_ours(autojump_clock: trio.testing.MockClock) -> None:
    model = Model([created(), *spoken("a", "Five o'clock, and all is well.", loud(3)), done()])
    vad = Component("loudness", Loudness)
    async with talking(model, turn_detection="local", vad=vad) as (call, service):
        await call.caller_speaks(loud(0.08) + quiet(1) + loud(1) + quiet(1.5))
        assert types_of(service) == ["session.update", "input_audio_buffer.clear", "input_audio_buffer.commit",
                                     "response.create"]  # fmt: skip
        assert service.peer.said[0]["session"]["audio"]["input"]["turn_detection"] is None
        await call.caller_speaks(loud(0.5) + quiet(0.2))
        assert not call.is_speaking
        assert types_of(service)[-1] == "conversation.item.truncate"


async def test_tools_are_run_and_their_results_told(autojump_clock: trio.testing.MockClock) -> None:
    async def price_of(bread: str) -> str:
        """What it costs."""
        return f"{bread}: 4 euros"

    model = Model(
        [created(), called("price_of", '{"bread": "rye"}'), called("price_of", "[", "call_2"), done()],
        [created(), *spoken("a", "Four euros.", loud(1)), done()],
    )
    async with talking(model, tools=[price_of]) as (call, service):
        call.caller_writes(TextMessage("What is rye?"))
        await trio.sleep(3)
    created_items = [each["item"] for each in service.peer.said if each["type"] == "conversation.item.create"]
    assert created_items[1:] == [
        {"type": "function_call_output", "call_id": "call_1", "output": "rye: 4 euros"},
        {"type": "function_call_output", "call_id": "call_2", "output": "error: the arguments are no JSON object"},
    ]
    assert seconds_heard(call) == pytest.approx(1.0, abs=0.03)


async def test_the_model_can_end_the_call_with_its_last_words(autojump_clock: trio.testing.MockClock) -> None:
    model = Model([created(), *spoken("a", "Goodbye.", loud(1)), called("hang_up", "{}"), done()])
    async with talking(model, greeting="Hello!") as (call, service):
        await call.ended.wait()
    assert service.peer.said[1]["response"] == {"instructions": "Say: Hello!"}
    assert seconds_heard(call) == pytest.approx(1.0, abs=0.03)


async def test_a_call_has_a_longest_time(autojump_clock: trio.testing.MockClock) -> None:
    endless = spoken("a", "And so on.", loud(5))[:-1]
    async with talking(Model([created(), *endless]), greeting="Hello!", max_seconds=3.0) as (call, _):
        await call.ended.wait()
    assert seconds_heard(call) == pytest.approx(5, abs=0.03)


async def test_keys_are_told_as_text(autojump_clock: trio.testing.MockClock) -> None:
    async with talking(Model()) as (call, service):
        await call.caller_presses("12#")
        await trio.sleep(1)
    (item,) = [each["item"] for each in service.peer.said if each["type"] == "conversation.item.create"]
    assert item["content"] == [{"type": "input_text", "text": "12"}]


async def test_names_of_older_servers_are_understood(autojump_clock: trio.testing.MockClock) -> None:
    item = [{**each, "type": each["type"].replace("output_", "")} for each in spoken("a", "Five.", loud(1))]
    async with talking(Model([created(), *item, done()])) as (call, _):
        call.caller_writes(TextMessage("When?"))
        await trio.sleep(2)
    assert transcripts(call)[-1] == ("agent", "Five.", False)


FAILED = done("failed", status_details={"error": {"type": "server_error", "code": "overloaded"}})
EXPIRED = event("error", error={"type": "invalid_request_error", "code": "session_expired", "message": KEY})
BENIGN = event("error", error={"type": "invalid_request_error", "code": "response_cancel_not_active", "message": KEY})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([EXPIRED], "refuses the session (session_expired): check api_key and the settings"),
        ([created()], "has not answered in time: check model, or raise patience"),
        (["<html>"], "it says what is no event of OpenAI Realtime: check url and model"),
        ([b'{"type": "\xc3"}'], "it says what is no event of OpenAI Realtime: check url and model"),
        ([created(), delta("output_audio", "a", "****")], "it says what is no audio: check url and model"),
        ([created(), *(each for item in "ab" * 40 for each in spoken(item, "x", loud(1))[:2])],
         "says 16 things at a time: check model"),
    ],
)  # fmt: skip
async def test_a_service_that_fails_is_named_and_another_agent_takes_over(
    answer: list[Any], message: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    taken = trio.Event()

    async def other(call: Any) -> None:
        taken.set()
        await trio.sleep_forever()

    class Raw(Model):
        async def say(self, peer: Any, *events: Any) -> None:
            await peer.send(*events)

    caplog.set_level(logging.INFO)
    async with talking(Raw(answer), agents={"other": other}, when_failed="other") as (call, _):
        call.caller_writes(TextMessage("When?"))
        await taken.wait()
    assert caplog.messages == [f"the agent openai-realtime has failed: https://model.example{told(message)}"]
    assert KEY not in caplog.text


def told(message: str) -> str:
    return f": {message}" if message.startswith("it ") else f" {message}"


async def test_a_response_that_fails_is_asked_for_again(autojump_clock: trio.testing.MockClock) -> None:
    model = Model([created(), FAILED], [created(), BENIGN, *spoken("a", "Five.", loud(1)), done()])
    async with talking(model) as (call, _):
        call.caller_writes(TextMessage("When?"))
        await trio.sleep(2)
    assert transcripts(call)[-1] == ("agent", "Five.", False)


@pytest.mark.parametrize(
    ("failures", "message"),
    [
        ([UNAUTHORIZED], "does not accept the key: check api_key (HTTP 401, invalid_api_key)"),
        ([b"SSH-2.0\r\n", b"SSH-2.0\r\n"], "opens no WebSocket within 6 s: check url, and that it works"),
        ([BUSY, BUSY], "has failed by itself (HTTP 503)"),
    ],
)
async def test_who_is_refused_is_told_why(
    failures: list[bytes], message: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(Model(), prepare=lambda service: service.failures.extend(failures)) as (call, _):
        await call.ended.wait()
    assert call.hang_up_reason == "the service behind this agent has failed"
    assert caplog.messages == [f"the agent openai-realtime has failed: https://model.example {message}"]


async def test_a_service_that_is_busy_for_a_moment_is_connected_to_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    model = Model([created(), *spoken("a", "Hello.", loud(1)), done()])
    async with talking(model, greeting="Hi", prepare=lambda service: service.failures.append(BUSY)) as (call, _):
        await trio.sleep(3)
    assert transcripts(call) == [("agent", "Hello.", False)]


async def test_a_service_that_is_gone_is_noticed_though_nobody_speaks(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Closing(Model):
        async def behave(self, peer: Any) -> None:
            await peer.receive()
            await trio.sleep(5)

    async with talking(Closing()) as (call, _):
        await call.ended.wait()
    assert "has ended the conversation (code 1000)" in caplog.text


def test_settings_that_do_not_fit_are_told_before_any_call() -> None:
    with pytest.raises(ConfigurationError, match=r"^sample_rate: the agent openai-realtime has 24000 Hz, got 16000"):
        realtime(RealtimeConfig(), CampaignInfo("shop", 16000))
    with pytest.raises(ConfigurationError, match=r"^when_failed: the campaign has no agent 'plan-b'"):
        realtime(RealtimeConfig(when_failed="plan-b"), CampaignInfo("shop", 24000, ("openai-realtime",)))


@pytest.mark.slow
@given(st.binary(max_size=200) | st.from_regex(rb'\{"type": "[a-z.]{0,9}", "(delta|item|error)": .{0,20}\}'))
def test_any_event_is_read_or_refused(message: bytes) -> None:
    """Fuzz: ``read_event_untrusted``, and in it ``samples_of_untrusted``, raises ``Malformed`` and nothing else."""
    try:
        read_event_untrusted(message)
    except Malformed:
        return
