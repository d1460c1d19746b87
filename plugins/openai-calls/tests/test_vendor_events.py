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


ASIDE = {"conversation": "none", "output_modalities": ["text"], "metadata": {"topic": "colour"}}
WISHES: list[dict[str, Any]] = [
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["text"],
            "audio": {
                "input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
                "output": {"voice": "marin", "speed": 1.5},
            },
            "tools": KNOWN["tools"],
            "tool_choice": {"type": "function", "name": "clock"},
            "max_output_tokens": 5,
        },
    },
    {**said("Hello"), "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": {**said("Hi")["item"], "id": "mine"}},
    {"type": "conversation.item.retrieve", "item_id": "mine"},
    {"type": "conversation.item.delete", "item_id": "mine"},
    {"type": "conversation.item.delete", "item_id": "mine"},
    {"type": "response.create", "response": {"instructions": "Be brief.", "metadata": {"a": "b"}}},
    {"type": "response.create", "response": ASIDE},
    {"type": "response.create", "response": {**ASIDE, "input": [said("Hm")["item"]]}},
    {"type": "response.create", "response": {**ASIDE, "input": []}},
    {"type": "response.cancel", "response_id": "resp_x"},
]


TOLD = {
    "session.created",
    "session.updated",
    "error",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.retrieved",
    "conversation.item.deleted",
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
    of_answers = ["instructions", "functions", "speech", "length", "pace", "choice", "respond", "items", "asides"]
    all_wishes = [*of_answers, "turns", "eagerness"]
    note(dialect.gateway_says(event("wishes", honoured=all_wishes, voices=["marin"])))
    for one in WISHES:
        note(dialect.client_says(json.dumps(one)))
    detection = [each["session"]["audio"]["input"]["turn_detection"] for each in told if "session" in each][-1]
    assert (detection["type"], detection["eagerness"]) == ("semantic_vad", "low")
    note(dialect.gateway_says(event("transcript", role="agent", text="He", final=False, written=True, item="agent_1")))
    note(dialect.gateway_says(event("agent_state", state="speaking")))
    note(dialect.gateway_says(event("transcript", role="agent", text="Hello.", written=True, cut=True, item="agent_1")))
    first, second, third = (each["response"]["id"] for each in told[-30:] if _is_aside(each))
    note(dialect.gateway_says(event("aside", name=first, text="Red.")))
    note(dialect.gateway_says(event("aside", name=second, failed=True)))
    note(dialect.client_says(json.dumps({"type": "response.cancel", "response_id": third})))
    assert [each["response"]["status"] for each in told if each["type"] == "response.done"][-4:] == [
        "incomplete",
        "completed",
        "failed",
        "cancelled",
    ]
    assert check_all(RealtimeClientEvent, [*CLIENT, *AFTERWARDS, truncate, *PUSHED, *WISHES]) == 25
    assert check_all(RealtimeServerEvent, told) == len({each["event_id"] for each in told})
    assert {each["type"] for each in told} == TOLD


def _is_aside(told: dict[str, Any]) -> bool:
    return told["type"] == "response.created" and told["response"]["conversation_id"] is None
