"""Clients are strangers, and say anything in any order: what comes of it is told by the protocol, and ends no call."""

import json
from collections.abc import Iterable
from typing import Any

import trio
from glottis import Saying, ToAgent, ToClient
from glottis_openai_calls.dialect import Realtime
from glottis_openai_calls.sessions import described
from hypothesis import given
from hypothesis import strategies as st

TYPES = (
    "session.update",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.delete",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "input_audio_buffer.append",
    "nonsense",
)
IDS = st.sampled_from(["a", "b", "root", ""]) | st.integers()
NAMES = (
    "type", "role", "content", "text", "transcript", "audio", "input", "output", "id", "call_id", "tools", "name",
    "turn_detection", "voice", "speed", "modalities", "output_modalities", "instructions", "tool_choice", "metadata",
    "eagerness", "max_output_tokens", "conversation", "create_response", "model", "parameters", "description",
)  # fmt: skip
WORDS = (
    "message", "user", "system", "assistant", "input_text", "output_text", "input_audio", "function_call_output",
    "function", "auto", "none", "required", "text", "audio", "realtime", "server_vad", "inf", "item_reference", "c",
    "semantic_vad", "low",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.sampled_from(WORDS) | IDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
PARTS = st.sampled_from([{"type": "input_text", "text": "Hi"}, {"type": "output_text", "text": "Hi"}]) | VALUES
MESSAGES = st.builds(
    lambda role, part, more: {"type": "message", "role": role, "content": [part], **more},
    st.sampled_from(["user", "system", "assistant"]),
    PARTS,
    st.fixed_dictionaries({}, optional={"id": IDS}),
)
OUTPUTS = st.builds(
    lambda call_id: {"type": "function_call_output", "call_id": call_id, "output": "7"}, st.sampled_from(["c", "d"])
)
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "conversation": st.sampled_from(["auto", "none"]),
        "output_modalities": st.just(["text"]),
        **dict.fromkeys(("input", "instructions", "tools", "audio", "modalities", "metadata"), VALUES),
    },
)
BY_HAND = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
CLIENT = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "item": MESSAGES | OUTPUTS | VALUES,
        "item_id": IDS | VALUES,
        "previous_item_id": IDS | VALUES,
        "response": RESPONSES | VALUES,
        "response_id": VALUES,
        "session": st.just(BY_HAND) | VALUES,
        "audio_end_ms": VALUES,
        "event_id": VALUES,
    },
)
AGENT = st.sampled_from(
    [
        ("agent_state", {"state": "thinking"}),
        ("agent_state", {"state": "speaking"}),
        ("agent_state", {"state": "listening"}),
        ("caller_state", {"state": "speaking"}),
        ("caller_state", {"state": "silent"}),
        ("transcript", {"role": "agent", "text": "Good", "final": False, "item": "agent_1"}),
        ("transcript", {"role": "agent", "text": "Good day.", "item": "agent_1", "written": True}),
        ("transcript", {"role": "agent", "text": "Go", "interrupted": True, "item": []}),
        ("transcript", {"role": "user", "text": "Hello", "item": "a"}),
        ("transcript", {"role": "user", "text": "Hello", "final": False}),
        ("function_call", {"callId": "c", "name": "clock", "arguments": {}}),
        ("aside", {"name": "a", "text": "Red."}),
        (
            "wishes",
            {"honoured": ["respond", "items", "asides", "turns", "detection", "eagerness", 7], "voices": ["marin", {}]},
        ),
        ("wishes", {"honoured": []}),
    ]
)


@given(st.lists(CLIENT | AGENT | VALUES, max_size=30))
def test_whatever_is_said_in_whatever_order_is_answered_by_the_protocol(said: list[Any]) -> None:
    """Fuzz: a dialect that raises would end its call."""

    async def talk() -> None:
        dialect = Realtime(described({}, "test"))
        told: list[dict[str, Any]] = []

        def note(sayings: Iterable[Saying]) -> None:
            for saying in sayings:
                assert isinstance(saying, ToClient | ToAgent)
                if isinstance(saying, ToClient):
                    told.append(json.loads(saying.text))

        note(dialect.opened())
        for one in said:
            if isinstance(one, tuple):
                name, data = one
                note(dialect.gateway_says({"type": "event", "name": name, "data": data}))
                continue
            before = len(told)
            note(dialect.client_says(json.dumps(one)))
            event_id = one.get("event_id") if isinstance(one, dict) else None
            errors = [each["error"] for each in told[before:] if each["type"] == "error"]
            assert len(errors) <= 1
            assert all(each["event_id"] in (event_id, None) and each["message"] for each in errors)
        ids = [each["response"]["id"] for each in told if each["type"] == "response.created"]
        done = [each["response"]["id"] for each in told if each["type"] == "response.done"]
        assert len(set(ids)) == len(ids)
        assert len(set(done)) == len(done)
        assert set(done) <= set(ids)

    trio.run(talk)
