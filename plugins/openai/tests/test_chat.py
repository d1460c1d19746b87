"""The model ``openai``: what it asks for, and what it makes of the answers of different servers."""

import gzip
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
import trio
import trio.testing
from glottis import Malformed, Secret
from glottis.testing import fake_call
from glottis_conversation import Message, Tool, ToolCall, conversation
from glottis_openai import ChatCompletions, ChatConfig
from glottis_openai.chat import documents_untrusted
from glottis_openai.chunks import ToolCalls, read_chunk_untrusted
from glottis_openai.thoughts import Unthinking
from glottis_services import Answer, ServiceFailed
from hypothesis import given
from hypothesis import strategies as st
from support.services import FakeService, call_piece, chunk, events, streamed
from support.talking import Ear, Mouth, settings, silence, speech

KEY = "sk-correct-horse-battery"
HISTORY = [Message("system", "Be kind."), Message("user", "What time is it?")]


async def no_tool(arguments: Any) -> str:
    return ""


TOOL = Tool("time", "The time.", {"type": "object", "properties": {"zone": {"type": "string"}}}, no_tool)


def model(service: FakeService, **others: Any) -> ChatCompletions:
    config = ChatConfig(**{"model": "m", "api_key": Secret(KEY), "url": "http://model.example/v1", **others})
    return ChatCompletions(config, service.transport)


async def reply(*replies: Any, **others: Any) -> list[str | ToolCall]:
    return [piece async for piece in model(FakeService(*replies), **others).reply(HISTORY, [TOOL])]


async def test_an_answer_is_spoken_in_a_call_and_its_tools_are_run(autojump_clock: trio.testing.MockClock) -> None:
    asked: list[str] = []

    async def opening_hours(day: str) -> str:
        """When the shop is open."""
        asked.append(day)
        return "nine to six"

    first = [
        chunk("Let me see. "),
        chunk(tool_calls=[call_piece(0, "opening_hours", "", "a")]),
        chunk(tool_calls=[call_piece(0, None, '{"day": "Mon')]),
        chunk(tool_calls=[call_piece(0, None, 'day"}')]),
    ]
    service = FakeService(streamed(events(first)), streamed(events([chunk("From nine"), chunk(" to six.")])))
    mouth = Mouth()
    config = settings(model(service), ear=Ear(["When?"]), mouth=mouth, instructions="Be kind.")
    async with fake_call(conversation(config, [opening_hours])) as call:
        await call.caller_speaks(speech(1) + silence(4))
    assert asked == ["Monday"]
    assert mouth.texts == ["Let me see.", "From nine to six."]
    assert service.bodies[1]["messages"][-2:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "opening_hours", "arguments": '{"day":"Monday"}'}}
            ],
        },
        {"role": "tool", "content": "nine to six", "tool_call_id": "a"},
    ]


async def test_what_is_asked_for() -> None:
    service = FakeService(streamed(events([chunk("Five.")])))
    asked = model(service, temperature=0.2, extra={"reasoning_effort": "low"}, headers={"X-Team": Secret("a")})
    assert [piece async for piece in asked.reply(HISTORY, [TOOL])] == ["Five."]
    (request,) = service.requests
    assert str(request.url) == "http://model.example/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "a"
    (body,) = service.bodies
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "What time is it?"},
        ],
        "stream": True,
        "tools": [
            {
                "type": "function",
                "function": {"name": "time", "description": "The time.", "parameters": dict(TOOL.parameters)},
            }
        ],
        "temperature": 0.2,
        "reasoning_effort": "low",
    }


async def test_the_model_can_be_made_to_call_a_tool() -> None:
    service = FakeService(*[streamed(events([chunk("Five.")])) for _ in range(3)])
    asked = model(service)
    for asked.must_call in ("", "time", None):
        assert [piece async for piece in asked.reply(HISTORY, [TOOL])] == ["Five."]
    named = {"type": "function", "function": {"name": "time"}}
    assert [body.get("tool_choice") for body in service.bodies] == ["required", named, None]


ZONE = {"zone": "UTC"}
WHOLE = '{"zone": "UTC"}'
TIME = ToolCall("time", ZONE, "a")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b": PROCESSING\r\n\r\n", events([chunk("Five.")]).replace(b"\n", b"\r\n")], ["Five."]),
        ([events([chunk("Five."), {"choices": [], "usage": {"total_tokens": 9}}], end=b"")], ["Five."]),
        ([events([chunk(content=[{"type": "text", "text": "Five."}])])], ["Five."]),
        ([events([chunk(None, reasoning_content="Hm"), chunk("<th"), chunk("ink>Hm</think>Five.")])], ["Five."]),
        ([events([chunk(tool_calls=[call_piece(0, "time", WHOLE, "a"), call_piece(0, "time", WHOLE, "b")])])],
         [TIME, ToolCall("time", ZONE, "b")]),
        ([events([chunk(tool_calls=[call_piece(None, "time", WHOLE, "a")])])], [TIME]),
        ([events([chunk(tool_calls=[call_piece(None, "time", ZONE), call_piece(None, "time", "")])])],
         [ToolCall("time", ZONE, "call_2_0"), ToolCall("time", {}, "call_2_1")]),
        ([events([chunk(tool_calls=[call_piece(0, "time", '{"zone"', "a")]),
                  chunk(tool_calls=[call_piece(0, None, ': "UTC"}', "")])])], [TIME]),
        ([events([chunk(tool_calls=[call_piece(0, "time", '{"zone"', "a")]),
                  chunk(tool_calls=[call_piece(1, "time", "{}", "b")]),
                  chunk(tool_calls=[call_piece(0, None, ': "UTC"}')])])], [TIME, ToolCall("time", {}, "b")]),
    ],
    ids=["comments", "usage", "list", "thoughts", "zero", "unnumbered", "nameless", "id", "two"],
)  # fmt: skip
async def test_answers_of_different_servers_are_understood(parts: list[bytes], expected: list[Any]) -> None:
    assert await reply(streamed(*parts)) == expected


async def test_characters_may_be_split_between_packets() -> None:
    whole = events([chunk("Grüß Gott, 😀.")]).replace(b"\\u00fc", "ü".encode()).replace(b"\\u00df", "ß".encode())
    parts = [whole[at : at + 1] for at in range(len(whole))]
    assert await reply(streamed(*parts)) == ["Grüß Gott, 😀."]


async def test_a_server_that_does_not_stream_is_understood() -> None:
    message = {"choices": [{"message": {"role": "assistant", "content": "Five."}}]}
    assert await reply(httpx2.Response(200, json=message)) == ["Five."]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx2.Response(401, json={"error": {"message": f"bad key {KEY}", "code": "invalid_api_key"}}),
         "does not accept the key: check api_key (HTTP 401, invalid_api_key)"),
        (httpx2.Response(429, json={"error": {"code": "insufficient_quota"}}, headers={"Retry-After": "60"}),
         "is asked too often, or the account has reached its limit (HTTP 429, insufficient_quota)"),
        (httpx2.Response(500, content=b"\xff<html>"), "has failed by itself (HTTP 500)"),
        (httpx2.Response(302, headers={"Location": "http://elsewhere.example"}), "redirects: check url (HTTP 302)"),
        (httpx2.Response(200, content=gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": "gzip"}),
         "has packed its answer (gzip), which was asked as it is"),
        (httpx2.ConnectError("no"), "cannot be reached (ConnectError): check url"),
        (streamed(b"<html>\n" * 99), "has answered nothing: check url and model"),
        (streamed(events([chunk("")])), "has answered nothing: check url and model"),
        (streamed(events([chunk("Fi"), chunk("ve.")])[:-30]), "no chunk of a completion"),
        (streamed(b'data: {"choices": [{"delta": {"content": "\xc3"}}]}\n\n'), "no chunk of a completion"),
        (streamed(b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n'), "no chunk of a completion"),
        (streamed(b"data: " + b"[" * 100_000 + b"\n\n"), "no chunk of a completion"),
        (streamed(events([{"error": {"code": "server_error", "message": "x"}}])), "of its answer with server_error"),
        (streamed(*[b"data: " + b"x" * 65536] + [b"x" * 65536] * 20), "expected events of at most"),
        (streamed(*[b":" + b"x" * 900_000 + b"\n"] * 10), "has not ended its answer within"),
        (streamed(events([chunk("Fi")], end=b""), 10.0), "has said nothing for 6 s: check that it works"),
        (streamed(events([chunk("Fi")], end=b""), httpx2.ReadError("x")), "has broken off (ReadError)"),
        (streamed(events([chunk(tool_calls=[call_piece(0, "time", "{", "a")])])), "no JSON object: check that model"),
        (streamed(events([chunk(tool_calls=[call_piece(0, None, "{}", "a")])])), "a tool without a name"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_goes_wrong_is_one_error_without_the_key(
    answer: Any, message: str, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(ServiceFailed) as raised:
        await reply(answer)
    assert message in str(raised.value)
    assert str(raised.value).startswith("http://model.example")
    assert KEY not in str(raised.value)


async def test_a_service_that_is_busy_for_a_moment_is_asked_again(autojump_clock: trio.testing.MockClock) -> None:
    busy = httpx2.Response(429, headers={"Retry-After": "1"})
    assert await reply(busy, httpx2.ConnectError("x"), streamed(events([chunk("Five.")])), retries=2) == ["Five."]
    assert 1.25 <= trio.current_time() <= 1.75


async def test_what_has_begun_is_not_asked_for_again() -> None:
    service = FakeService(streamed(events([chunk("Fi")], end=b""), httpx2.ReadError("x")))
    with pytest.raises(ServiceFailed, match="broken off"):
        async for _ in model(service, retries=5).reply(HISTORY, []):
            pass
    assert len(service.requests) == 1


@pytest.mark.slow
async def test_the_caller_hears_an_apology_and_the_log_what_to_change(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    mouth, service = Mouth(), FakeService(httpx2.Response(401, json={"error": {"message": f"bad key {KEY}"}}))
    async with fake_call(conversation(settings(model(service), ear=Ear(["When?"]), mouth=mouth))) as call:
        await call.caller_speaks(speech(1) + silence(4))
    assert mouth.texts == ["I am sorry, something went wrong. Please try again."]
    said = "the model mind has failed: http://model.example does not accept the key: check api_key (HTTP 401)"
    assert said in caplog.messages
    assert KEY not in caplog.text


@pytest.mark.slow
@given(st.binary(max_size=300) | st.from_regex(rb'\{"choices": \[\{"delta": \{"content": .{0,30}\}\}\]\}'))
def test_any_chunk_is_read_or_refused(document: bytes) -> None:
    """Fuzz: ``read_chunk_untrusted``, ``add_untrusted`` and ``complete_untrusted`` raise only ``Malformed``."""
    calls = ToolCalls(0)
    try:
        calls.add_untrusted(read_chunk_untrusted(document).tool_calls or ())
        calls.complete_untrusted()
    except Malformed:
        return


class Streamed(Answer):
    """An answer that has come in these parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.media_type = "text/event-stream"
        self._parts = parts

    async def parts(self, most: int = 0) -> AsyncGenerator[bytes, None]:
        for part in self._parts:
            yield part


@pytest.mark.slow
@given(st.lists(st.sampled_from([b"data:", b" [DONE]", b"{", b"\n", b"\n\n"]) | st.binary(max_size=30), max_size=9))
async def test_any_stream_is_cut_into_documents_or_refused(parts: list[bytes]) -> None:
    """Fuzz: ``documents_untrusted`` raises ``Malformed`` and nothing else."""
    with suppress(Malformed):
        documents = [document async for document in documents_untrusted(Streamed(parts))]
        assert sum(map(len, documents)) <= sum(map(len, parts))


@pytest.mark.slow
@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "th", "ink>", "a", "/"]), max_size=12), st.data())
def test_thoughts_are_left_out_however_they_are_split(tokens: list[str], data: st.DataObject) -> None:
    text = "".join(tokens)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    whole, split = Unthinking(), Unthinking()
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    said = "".join(map(split.spoken, pieces)) + split.rest()
    assert said == whole.spoken(text) + whole.rest()
    assert said == re.sub(r"<think>.*?(?:</think>|\Z)", "", text)
