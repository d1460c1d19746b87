"""By the types of the package ``openai``: all that clients are told is of them, and so is what these tests say."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
import trio
import trio.testing
from glottis import Saying, ToClient
from glottis_openai_calls.dialect import Realtime
from glottis_openai_calls.sessions import described
from support.vendor_types import check_all

pytestmark = pytest.mark.interop

KNOWN = {
    "type": "realtime",
    "instructions": "Be kind.",
    "tools": [{"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}],
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}, "output": {"voice": "marin"}},
    "tracing": "auto",
}


def said(*texts: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text} for text in texts]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}


CLIENT: list[dict[str, Any]] = [
    {"type": "session.update", "session": KNOWN},
    said("Hello", "there"),
    {"type": "response.create"},
    {"type": "response.create", "event_id": "again"},
    {"type": "response.cancel"},
    {"type": "output_audio_buffer.clear"},
]


def event(name: str, /, **data: Any) -> dict[str, Any]:
    return {"type": "event", "name": name, "data": data}


GATEWAY: list[dict[str, Any]] = [
    event("state", state="active"),
    event("agent_state", state="thinking"),
    event("agent_state", state="speaking"),
    event("transcript", role="agent", text="Good", final=False),
    event("transcript", role="agent", text="Good day", final=True, interrupted=True),
    event("caller_state", state="speaking"),
    event("caller_state", state="silent"),
    event("caller_state", state="speaking"),
    event("transcript", role="user", text="Hello", final=False),
    event("transcript", role="user", text="Hello.", final=True),
    event("agent_state", state="speaking"),
    event("transcript", role="agent", text="Hello.", final=True),
    event("agent_state", state="thinking"),
    event("agent_state", state="listening"),
    {"type": "text", "text": "by the way"},
    event("transcript", role="agent", text="Let me see.", final=False),
    {"type": "text", "text": "in writing"},
    event("function_call", callId="c", name="clock", arguments={}),
    event("agent_state", state="listening"),
]
AFTERWARDS: list[dict[str, Any]] = [
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "noon"}},
    {"type": "response.create"},
]


BY_HAND = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
PUSHED: list[dict[str, Any]] = [
    {"type": "session.update", "session": BY_HAND},
    {"type": "input_audio_buffer.clear"},
    {"type": "input_audio_buffer.commit", "event_id": "soon"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
]


TOLD = {
    "session.created",
    "session.updated",
    "error",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "input_audio_buffer.cleared",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "output_audio_buffer.cleared",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.output_audio.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
}


async def test_each_event_is_of_the_published_types(autojump_clock: trio.testing.MockClock) -> None:
    from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

    dialect = Realtime(described(KNOWN, "gpt-realtime"))
    told: list[dict[str, Any]] = []

    def note(sayings: Iterable[Saying]) -> None:
        told.extend(json.loads(saying.text) for saying in sayings if isinstance(saying, ToClient))

    note(dialect.opened())
    for one in CLIENT:
        note(dialect.client_says(json.dumps(one)))
    note(dialect.gateway_says(event("wishes", honoured=["instructions", "functions", "turns", "respond", 7])))
    note(dialect.client_says(json.dumps({"type": "session.update", "session": {"tool_choice": "none"}})))
    for one in GATEWAY:
        note(dialect.gateway_says(one))
    for one in AFTERWARDS:
        note(dialect.client_says(json.dumps(one)))
    note(dialect.gateway_says(event("agent_state", state="speaking")))
    (item_id,) = {each["item_id"] for each in told[-3:] if "item_id" in each}
    truncate = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 1}
    note(dialect.client_says(json.dumps(truncate)))
    note(dialect.gateway_says(event("agent_state", state="listening")))
    note(dialect.gateway_says(event("wishes", honoured=["turns", "detection"])))
    for one in PUSHED:
        note(dialect.client_says(json.dumps(one)))
        await trio.sleep(0.2 if one.get("event_id") != "soon" else 0)
    *_, item_id = (each["item_id"] for each in told if each["type"] == "input_audio_buffer.committed")
    for more in ({"failed": True}, {}):
        note(dialect.gateway_says(event("transcript", role="user", text="", item=item_id, **more)))
    assert check_all(RealtimeClientEvent, [*CLIENT, *AFTERWARDS, truncate, *PUSHED]) == 14
    assert check_all(RealtimeServerEvent, told) == len({each["event_id"] for each in told})
    assert {each["type"] for each in told} == TOLD
