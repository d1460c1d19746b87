"""The Realtime API by WebRTC: who speaks it to OpenAI has a call here, and is told in the same events."""

import base64
import gc
import importlib
import json
import random
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from glottis import Call, DoorRefused, Malformed, TextMessage, TypedMessage, Wishes
from glottis.contracts.clock import WallClock
from glottis_conversation import ToolCall, conversation
from glottis_openai_calls.bodies import (
    MAX_SESSION_BYTES,
    Wish,
    parse_object_untrusted,
    parse_preview_wish_untrusted,
    parse_secret_wish_untrusted,
    parse_wish_untrusted,
)
from glottis_openai_calls.client_secrets import MAX_BYTES, ClientSecret, ClientSecrets
from glottis_openai_calls.events import MAX_EVENT_BYTES, parse_event_untrusted
from hypothesis import given
from hypothesis import strategies as st
from support.calls_client import CLOCK, FORM, Client, open_conversation, spoken
from support.http import Reply, request
from support.keys import KEY, KEYS
from support.markdown import Document
from support.memory import open_memory_exchange
from support.phone import Exchange, eventually
from support.plugins import TestPlugin
from support.talking import Ear, Mind, Mouth, settings

Clock = trio.testing.MockClock


async def agent(call: Call) -> None:
    """Does what it is told in writing, as agents of conversations would."""
    async for message in call.messages:
        if isinstance(message, TypedMessage):
            if message.type == "interrupt":
                await call.send_event(
                    "transcript", {"role": "agent", "text": "Good", "final": True, "interrupted": True}
                )
                await call.send_event("agent_state", {"state": "listening"})
            elif message.type == "function_call_output":
                await call.send_text(f"It is {message.data['output']}.")
            elif message.type == "metadata":
                await call.send_event("wishes", {"honoured": ["instructions"]})
        elif isinstance(message, TextMessage):
            await play(call, message.text)


async def play(call: Call, scene: str) -> None:
    match scene:
        case "speak" | "speak on":
            await call.send_event("agent_state", {"state": "thinking"})
            await call.send_event("agent_state", {"state": "speaking"})
            await call.send_event("transcript", {"role": "agent", "text": "Good", "final": False})
            await call.send_event("transcript", {"role": "agent", "text": "Good day.", "final": False})
            if scene == "speak":
                await call.send_event("transcript", {"role": "agent", "text": "Good day.", "final": True})
                await call.send_event("agent_state", {"state": "listening"})
        case "listen":
            await call.send_event("transcript", {"role": "user", "text": "listen", "final": True})
            await call.send_event("transcript", {"role": "user", "text": "Hello", "final": False})
            await call.send_event("transcript", {"role": "user", "text": "Hello there.", "final": True})
            await call.send_event("agent_state", {"state": "thinking"})
            await call.send_event("agent_state", {"state": "listening"})
        case "ask":
            await call.send_event("function_call", {"callId": "c1", "name": "clock", "arguments": {"zone": "UTC"}})
        case _:
            await call.send_text(scene.upper())


PLUGIN = TestPlugin(test=agent)
CONFIG = (
    PLUGIN.config() + '\n[routes]\nenabled = ["openai-calls"]\n[routes.settings.openai-calls.models]\ngpt = "test"\n'
)


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, CONFIG, [PLUGIN]) as exchange:
        yield exchange


@pytest.fixture
async def client(exchange: Exchange) -> Client:
    return await Client(exchange).connect()


async def test_a_call_is_made_and_hung_up(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    reply = await client.post()
    assert (reply.status, reply.headers["content-type"]) == (201, "application/sdp")
    await client.take(reply.body.decode())
    created = await client.told("session.created")
    assert created["session"]["model"] == "test"
    assert client.kinds == ["session.created"]
    assert (await client.ask(f"{client.location}/hangup")).status == 200
    assert not len(exchange.gateway.sessions)
    assert (await client.ask(f"{client.location}/hangup")).document["error"]["code"] == "call_not_found"


async def test_a_form_brings_the_session_with_the_offer(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    session = json.dumps({"type": "realtime", "model": "gpt", "instructions": "Be kind."})
    reply = await client.post_form(session=session.encode())
    assert reply.status == 201, reply.body
    await client.take(reply.body.decode())
    assert "instructions" not in (await client.told("session.created"))["session"], "nobody goes by them yet"
    (call,) = exchange.gateway.sessions
    assert call.info.metadata["realtime"]["model"] == "gpt"
    assert Wishes.of(call.info.metadata).instructions == "Be kind."
    client.say("session.update", session={"type": "realtime", "instructions": "Be brief."})
    assert "instructions" not in (await client.told("session.updated"))["session"]
    assert (await client.told("session.updated", 2))["session"]["instructions"] == "Be brief."


async def test_a_session_may_have_the_shape_of_the_preview(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    session = {
        "model": "gpt",
        "modalities": ["text"],
        "voice": "verse",
        "turn_detection": None,
        "max_response_output_tokens": 7,
        "temperature": 0.8,
        "input_audio_format": "pcm16",
        "tool_choice": "required",
    }
    secret = (await client.ask("/client_secrets", json.dumps({"session": session}).encode())).document
    assert secret["session"]["audio"] == {"output": {"voice": "verse"}, "input": {"turn_detection": None}}
    assert (await client.post("/calls", secret["value"])).status == 201
    lent = (await client.ask("/sessions", json.dumps(session).encode())).document
    assert lent["client_secret"]["value"].startswith("ek_")
    assert lent["audio"] == secret["session"]["audio"]
    assert (await client.ask("/sessions", b"[]")).status == 400
    (call,) = exchange.gateway.sessions
    wishes = Wishes.of(call.info.metadata)
    assert (wishes.speaks, wishes.voice, wishes.detection, wishes.max_tokens) == (False, "verse", False, 7)
    assert wishes.choice == "required"
    another = Client(exchange)
    assert (await another.post("?model=nobody", lent["client_secret"]["value"])).status == 201


SDP_PART, SESSION_PART = (b'Content-Disposition: form-data; name="%b"' % name for name in (b"sdp", b"session"))


@pytest.mark.parametrize(
    "heads",
    [
        (SDP_PART, SESSION_PART),
        (SDP_PART + b'; filename="offer.sdp"\r\nContent-Type: application/sdp', SESSION_PART),
        (b"Content-Type: application/sdp\r\n" + SDP_PART, b"content-disposition:form-data;name=session"),
        (b'CONTENT-DISPOSITION: form-data; filename="name=session"; NAME="sdp"', SESSION_PART),
        (b'Content-Disposition: form-data; filename="; name=session"; x=y ; name=sdp', SESSION_PART),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_parts_of_a_form_are_known_by_their_names(heads: tuple[bytes, bytes], is_reversed: bool) -> None:
    parts = list(zip(heads, (b"v=0\r\n", b'{"model":"gpt"}'), strict=True))
    form = b"".join(b"--x\r\n%b\r\n\r\n%b\r\n" % part for part in (parts[::-1] if is_reversed else parts))
    for media_type in ("multipart/form-data; boundary=x", 'Multipart/Form-Data; charset=utf-8; boundary="x"'):
        wish = parse_wish_untrusted(media_type, b"preamble\r\n%b--x--\r\nepilogue" % form)
        assert wish == Wish("v=0\r\n", {"model": "gpt"})


def test_form_whose_boundary_is_not_told_says_what_to_leave_out() -> None:
    with pytest.raises(Malformed, match="leave that header to what makes the form"):
        parse_wish_untrusted("multipart/form-data", b"--x\r\n%b\r\n\r\nv=0\r\n--x--\r\n" % SDP_PART)


async def test_null_is_as_good_as_nothing(exchange: Exchange, autojump_clock: Clock) -> None:
    client = Client(exchange)
    nulls: dict[str, Any] = dict.fromkeys(("type", "instructions", "tools", "output_modalities", "modalities", "voice"))
    nulls |= {"audio": {"input": None, "output": {"speed": None, "voice": None}}, "max_output_tokens": None}
    wishes: list[Any] = [
        {},
        {"session": None, "expires_after": None},
        {"session": nulls, "expires_after": {"anchor": "created_at", "seconds": None}},
        {"session": {**nulls, "audio": None, "model": None}, "expires_after": {"anchor": "created_at"}},
    ]
    for body in (b"", b"\n", b"null", *(json.dumps(wish).encode() for wish in wishes)):
        reply = await client.ask("/client_secrets", body)
        assert (reply.status, reply.document["session"]["output_modalities"]) == (200, ["audio"]), body
    assert (await client.ask("/sessions", b"null")).status == 200
    reply = await client.post_form(model="test", session=b"null")
    assert reply.status == 201, reply.body
    await client.take(reply.body.decode())
    client.say("session.update", session={**nulls, "instructions": "Be kind."})
    client.say("session.update", session=nulls)
    assert (await client.told("session.updated", 3))["session"]["instructions"] == "Be kind."
    assert "error" not in client.kinds


async def test_what_is_written_is_answered_when_an_answer_is_wanted(client: Client, autojump_clock: Clock) -> None:
    client.write("hello")
    done = await client.told("response.done")
    (item,) = done["response"]["output"]
    assert item["content"] == [{"type": "output_text", "text": "HELLO"}]
    assert client.kinds[1:] == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]


async def test_what_is_said_is_told_as_it_is_said(client: Client, autojump_clock: Clock) -> None:
    client.write("speak")
    await client.told("output_audio_buffer.stopped")
    assert client.kinds[3:] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "output_audio_buffer.started",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
        "output_audio_buffer.stopped",
    ]
    deltas = [event["delta"] for event in client.events if event["type"].endswith("transcript.delta")]
    assert deltas == ["Good", " day."]


@pytest.mark.parametrize("how", ["response.cancel", "output_audio_buffer.clear", "conversation.item.truncate"])
async def test_the_agent_is_interrupted_and_what_was_heard_remains(
    how: str, client: Client, autojump_clock: Clock
) -> None:
    client.write("speak on")
    item = (await client.told("response.output_item.added"))["item"]
    await client.told("response.output_audio_transcript.delta", 2)
    client.say(how, item_id=item["id"], content_index=0, audio_end_ms=300)
    client.say(how, item_id=item["id"], content_index=0, audio_end_ms=300)
    await client.told("output_audio_buffer.cleared")
    response = (await client.told("response.done"))["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    (item,) = response["output"]
    assert (item["status"], item["content"][0]["transcript"]) == ("incomplete", "Good")


async def test_what_the_caller_says_is_an_item_and_what_it_writes_is_no_other(
    client: Client, autojump_clock: Clock
) -> None:
    client.write("listen")
    await client.told("response.done")
    assert client.kinds[4:] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.done",
    ]
    assert client.events[-2]["transcript"] == "Hello there."


async def test_functions_of_the_client_are_called(client: Client, autojump_clock: Clock) -> None:
    client.write("ask")
    called = await client.told("response.function_call_arguments.done")
    assert (called["name"], called["arguments"]) == ("clock", '{"zone":"UTC"}')
    await client.told("response.done")
    output = {"type": "function_call_output", "call_id": called["call_id"], "output": "noon"}
    client.say("conversation.item.create", item=output)
    client.say("response.create")
    (item,) = (await client.told("response.done", 2))["response"]["output"]
    assert item["content"][0]["text"] == "It is noon."
    client.say("conversation.item.create", item=output)
    assert "call_id" in (await client.told("error"))["error"]["message"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("nonsense", "invalid_event"),
        ("[]", "invalid_event"),
        ("{}", "invalid_event"),
        ('{"type":7}', "invalid_event"),
        ("[" * 20_000, "invalid_event"),
        ('{"type":"' + "x" * MAX_EVENT_BYTES + '"}', "invalid_event"),
        ('{"type":"input_audio_buffer.append","audio":"AAAA"}', "unsupported_event"),
        ('{"type":"input_audio_buffer.commit"}', "unsupported_event"),
        ('{"type":"conversation.item.retrieve","item_id":7}', "item_retrieve_invalid_item_id"),
        ('{"type":"conversation.item.delete","item_id":[]}', "item_delete_invalid_item_id"),
        ('{"type":"input_audio_buffer.clear"}', "unsupported_event"),
        ('{"type":"transcription_session.update"}', "unknown_event"),
        ('{"type":"response.create","response":7}', "invalid_event"),
        ('{"type":"response.create","response":{"conversation":"none"}}', "unsupported_event"),
        ('{"type":"response.create","response":{"conversation":"mine"}}', "invalid_event"),
        ('{"type":"response.create","response":{"metadata":{"a":7}}}', "invalid_event"),
        ('{"type":"response.create","response":{"metadata":7}}', "invalid_event"),
        ('{"type":"response.create","response":{"output_modalities":7}}', "invalid_event"),
        ('{"type":"response.create","response":{"conversation":"none","input":{}}}', "invalid_event"),
        ('{"type":"response.create","response":{"conversation":"none","input":[7]}}', "invalid_event"),
        ('{"type":"response.create","response":{"instructions":"' + "x" * 20_000 + '"}}', "invalid_event"),
        ('{"type":"response.create","response":{"input":[]}}', "invalid_event"),
        ('{"type":"session.update"}', "invalid_event"),
        ('{"type":"session.update","session":{"type":"transcription"}}', "invalid_event"),
        ('{"type":"session.update","session":{"instructions":"' + "x" * 20_000 + '"}}', "invalid_event"),
        ('{"type":"session.update","session":{"instructions":7}}', "invalid_event"),
        ('{"type":"session.update","session":{"audio":7,"tools":{}}}', "invalid_event"),
        ('{"type":"session.update","session":{"tools":7}}', "invalid_event"),
        ('{"type":"session.update","session":{"output_modalities":["audio","text"]}}', "invalid_event"),
        ('{"type":"session.update","session":{"max_output_tokens":0}}', "invalid_event"),
        ('{"type":"session.update","session":{"tool_choice":"any"}}', "invalid_event"),
        ('{"type":"session.update","session":{"audio":{"output":{"speed":2}}}}', "invalid_event"),
        ('{"type":"session.update","session":{"tools":[{"type":"mcp"}]}}', "invalid_event"),
        ('{"type":"session.update","session":{"tools":[{"type":"function","name":7}]}}', "invalid_event"),
        ('{"type":"session.update","session":{"include":[' + "0," * 2000 + "0]}}", "invalid_event"),
        ('{"type":"conversation.item.create","item":{"type":"message","role":"system"}}', "invalid_event"),
        ('{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{}]}}', "invalid_event"),
        ('{"type":"conversation.item.create","item":{"id":"root","type":"message","role":"user"}}', "invalid_event"),
        ('{"type":"conversation.item.create","item":{},"previous_item_id":"x"}', "invalid_event"),
        ('{"type":"conversation.item.truncate","item_id":"x"}', "item_truncate_invalid_item_id"),
        ('{"type":"response.create"}', "nothing_to_answer"),
        ('{"type":"response.cancel"}', "response_cancel_not_active"),
    ],
)
async def test_bad_events_are_answered_and_the_call_goes_on(
    said: str, code: str, client: Client, autojump_clock: Clock
) -> None:
    client.say_text(said)
    assert (await client.told("error"))["error"]["code"] == code
    client.write("still there")
    await client.told("response.done")


@pytest.mark.slow
async def test_a_flood_of_nonsense_costs_no_other_call_its_sound(
    exchange: Exchange, client: Client, autojump_clock: Clock
) -> None:
    other = await exchange.call()
    item = {"type": "function_call_output", "call_id": "none", "output": "x" * 1000}
    for number in range(60):
        client.say_text("{}")
        client.say("input_audio_buffer.append", audio="A" * 1000, event_id=f"append {number}")
        client.say("conversation.item.create", item=item)
        client.say("response.cancel")
    client.say_text('{"type":"' + "x" * 200_000 + '"}')
    await other.hear(20)
    client.write("still there")
    await client.told("response.done")
    errors = [event["error"] for event in client.events if event["type"] == "error"]
    assert len(errors) == 241
    assert [each["event_id"] for each in errors if each["event_id"]] == [f"append {number}" for number in range(60)]


async def test_at_most_one_response_and_a_few_texts_wait(client: Client, autojump_clock: Clock) -> None:
    client.write("speak on")
    client.say("response.create", event_id="mine")
    error = (await client.told("error"))["error"]
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "mine")
    content = [{"type": "input_text", "text": "more"}]
    for _ in range(33):
        client.say("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    assert "too many" in (await client.told("error", 2))["error"]["message"]


@pytest.mark.parametrize(
    ("path", "media_type", "body", "status", "code"),
    [
        ("/calls", "application/json", b"{}", 415, "unsupported_media_type"),
        ("/calls", "application/sdp", b"v=0", 400, "missing_model"),
        ("/calls?model=nobody", "application/sdp", b"v=0", 404, "unknown_campaign"),
        ("/calls?model=test", "application/sdp", b"nonsense", 400, "malformed"),
        ("/calls?model=test", "application/sdp", b"\xff", 400, "invalid_request"),
        ("/calls?model=test", FORM, b"", 400, "invalid_request"),
        ("/calls/nothing/hangup", "", b"", 404, "call_not_found"),
        ("/client_secrets", "application/json", b"[]", 400, "invalid_request"),
        ("/client_secrets", "application/json", b'{"session":7}', 400, "invalid_request"),
        ("/client_secrets", "application/json", b'{"expires_after":{"seconds":9}}', 400, "invalid_request"),
    ],
)
async def test_refusals_are_worded_as_clients_know_them(
    path: str, media_type: str, body: bytes, status: int, code: str, exchange: Exchange, autojump_clock: Clock
) -> None:
    reply = await Client(exchange).ask(path, body, media_type)
    assert reply.status == status
    assert reply.document["error"].keys() == {"type", "code", "message", "param"}
    assert reply.document["error"]["code"] == code
    assert not len(exchange.gateway.sessions)


@pytest.mark.parametrize(
    ("method", "path", "size", "status", "code"),
    [
        ("POST", "/v1/models", 0, 404, "not_found"),
        ("PATCH", "/v1/realtime/calls", 0, 405, "method_not_allowed"),
        ("POST", "/v1/realtime/calls", 1_000_000, 413, "body_too_large"),
        ("POST", "/v1/realtime/calls", 0, 403, "origin_not_allowed"),
    ],
)
async def test_what_the_gateway_refuses_is_worded_alike(
    method: str, path: str, size: int, status: int, code: str, exchange: Exchange, autojump_clock: Clock
) -> None:
    headers = {"origin": "https://elsewhere.example"} if status == 403 else {}
    reply = await request(exchange.gateway, method, path, bytes(size), connect=exchange.network.connect, **headers)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    assert reply.document["error"]["code"] == code
    assert ("allow" in reply.headers) is (status == 405)
    assert reply.headers["cache-control"] == "no-store"


async def test_a_conversation_is_told_turn_by_turn(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind("It is five o'clock.", "Well, once upon a time there was a king.")
    talker = TestPlugin(test=conversation(settings(mind, ear=Ear(["What time is it?", "Stop!"]), mouth=Mouth())))
    config = talker.config() + '\n[routes]\nenabled = ["openai-calls"]\n'
    async with open_memory_exchange(tmp_path, config, [talker]) as exchange:
        client = Client(exchange)
        client.phone.speaking = False
        await client.connect()
        client.phone.speaking = True
        await trio.sleep(1)
        client.phone.speaking = False
        await client.told("output_audio_buffer.stopped")
        assert spoken_kinds(client) == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.input_audio_transcription.completed",
            "response.created",
            "output_audio_buffer.started",
            "response.output_audio_transcript.done",
            "response.done",
            "output_audio_buffer.stopped",
        ]
        client.write("A story, please.")
        await client.told("response.output_audio_transcript.delta", 2)
        await trio.sleep(1)
        client.say("response.cancel")
        done = await client.told("response.done", 2)
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        assert done["response"]["output"][0]["content"][0]["transcript"].startswith("Well, once")
        assert client.kinds.count("input_audio_buffer.committed") == 1


@pytest.mark.parametrize("pause", [0.0, 0.5], ids=["before it speaks", "while it speaks"])
async def test_a_model_calls_functions_of_the_client_and_says_what_comes_of_it(
    pause: float, tmp_path: Path, autojump_clock: Clock
) -> None:
    mind = Mind(["Let me see. ", "", pause, ToolCall("clock", {"zone": "UTC"})], "It is noon.")
    async with open_conversation(tmp_path, mind) as client:
        client.say("session.update", session={"type": "realtime", "instructions": "Be kind.", "tools": [CLOCK]})
        session = (await client.told("session.updated"))["session"]
        assert (session["instructions"], session["tools"], session["tool_choice"]) == ("Be kind.", [CLOCK], "auto")
        client.write("What time is it?")
        called = await client.told("response.function_call_arguments.done")
        assert (called["name"], called["arguments"]) == ("clock", '{"zone":"UTC"}')
        output = {"type": "function_call_output", "call_id": called["call_id"], "output": "12:00"}
        client.say("conversation.item.create", item=output)
        client.say("response.create")
        await eventually(lambda: " ".join(spoken(client)) == "Let me see. It is noon.")
        assert "error" not in client.kinds
        assert mind.histories[0][0].text == "You are a clerk.\n\nBe kind."
        assert mind.histories[1][-1].text == "12:00"
        assert [tool.name for tool in mind.tools] == ["hang_up", "clock"]
        client.say("session.update", session={"type": "realtime", "tools": []})
        client.write("And now?")
        await eventually(lambda: len(mind.histories) == 3)
        assert [tool.name for tool in mind.tools] == ["hang_up"]


async def test_speech_is_answered_when_the_client_says_so(tmp_path: Path, autojump_clock: Clock) -> None:
    mind, detection = Mind("Five."), {"type": "server_vad", "create_response": False, "interrupt_response": False}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    async with open_conversation(tmp_path, mind, ear=Ear(["What time is it?", "Stop, I say!"])) as client:
        client.say("session.update", session=session)
        assert (await client.told("session.updated"))["session"]["audio"]["input"]["turn_detection"] == detection
        client.phone.speaking = True
        await trio.sleep(1)
        client.phone.speaking = False
        await client.told("conversation.item.input_audio_transcription.completed")
        await trio.sleep(5)
        assert not mind.histories
        client.say("response.create")
        await client.told("response.done")
        assert spoken(client) == ["Five."]
        assert mind.histories[0][-1].text == "What time is it?"


async def test_the_documented_agent_calls_functions_of_the_client(
    tmp_path: Path, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "butler.py" in Document(Path(__file__).parents[3] / "docs" / "doors.md").write_files(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    butler = TestPlugin(test=importlib.import_module("butler").butler)
    config = butler.config() + '\n[routes]\nenabled = ["openai-calls"]\n'
    async with open_memory_exchange(tmp_path, config, [butler]) as exchange:
        client = await Client(exchange).connect()
        client.say("session.update", session={"type": "realtime", "instructions": "Be kind.", "tools": [CLOCK]})
        session = (await client.told("session.updated"))["session"]
        assert (session["tools"], "instructions" in session) == ([CLOCK], False)
        client.write("the time")
        called = await client.told("response.function_call_arguments.done")
        assert (called["name"], called["arguments"]) == ("clock", '{"text":"the time"}')
        output = {"type": "function_call_output", "call_id": called["call_id"], "output": "noon"}
        client.say("conversation.item.create", item=output)
        client.say("response.create")
        assert (await client.told("response.output_text.done"))["text"] == "Done: noon"


def spoken_kinds(client: Client) -> list[str]:
    shown = ("input_audio", "output_audio_buffer", "response.created", "response.done", "transcript.done", "completed")
    return [kind for kind in client.kinds if any(part in kind for part in shown)]


async def test_pages_of_allowed_origins_may_call_and_read_where_the_call_is(
    exchange: Exchange, autojump_clock: Clock
) -> None:
    page = {"origin": "http://127.0.0.1:3000"}
    names = "authorization,content-type,x-openai-agents-sdk"
    asked = {"access_control_request_method": "POST", "access_control_request_headers": names}
    path, connect = "/v1/realtime/calls", exchange.network.connect
    preflight = await request(exchange.gateway, "OPTIONS", path, b"", connect=connect, **page, **asked)
    assert preflight.headers["access-control-allow-headers"] == names
    refused = await request(exchange.gateway, "POST", path, b"{}", connect=connect, **page)
    assert refused.headers["access-control-allow-origin"] == page["origin"]
    assert "location" in refused.headers["access-control-expose-headers"]
    stranger = await request(exchange.gateway, "POST", path, b"", connect=connect, origin="https://evil.example")
    assert stranger.status == 403


@pytest.mark.parametrize("is_answered", [True, False])
async def test_call_that_has_ended_is_freed_without_a_garbage_collector(
    is_answered: bool, exchange: Exchange, autojump_clock: Clock
) -> None:
    gc.collect()
    gc.disable()
    try:
        client = Client(exchange)
        await (client.connect() if is_answered else client.post())
        leg = weakref.ref(next(iter(exchange.gateway.sessions)).leg)
        assert (await client.ask(f"{client.location}/hangup")).status == 200
        await trio.sleep(10)
        assert leg() is None
    finally:
        gc.enable()


async def test_client_secrets_count_all_that_is_kept_for_them(exchange: Exchange, autojump_clock: Clock) -> None:
    body = json.dumps({"session": {"instructions": "x" * 15_000}}).encode()
    replies: list[Reply] = []
    while not replies or replies[-1].status == 200:
        replies.append(await Client(exchange).ask("/client_secrets", body, x_long="x" * 15_000))
    assert replies[-1].document["error"]["code"] == "too_many_client_secrets"
    assert 100 < len(replies) < MAX_BYTES // 4 // 30_000


async def test_a_client_secret_is_its_owners_and_not_for_long(tmp_path: Path, autojump_clock: Clock) -> None:
    config = CONFIG.replace('[auth]\nscheme = "anonymous"\n', KEYS)
    async with open_memory_exchange(tmp_path, config, [PLUGIN]) as exchange:
        client = Client(exchange)
        refused = await client.ask("/client_secrets")
        assert (refused.status, refused.document["error"]["type"]) == (401, "authentication_error")
        wanted = {
            "session": {"type": "realtime", "model": "gpt"},
            "expires_after": {"anchor": "created_at", "seconds": 60},
        }
        secret = (await client.ask("/client_secrets", json.dumps(wanted).encode(), key=KEY)).document
        assert secret["value"].startswith("ek_")
        assert secret["session"]["model"] == "gpt"
        assert (await client.post("/calls", secret["value"])).status == 201
        (session,) = exchange.gateway.sessions
        assert session.info.principal.name == "shop"
        assert (await client.ask(f"{client.location}/hangup", key=KEY[::-1])).status == 404
        assert (await client.ask(f"{client.location}/hangup", key=secret["value"])).status == 200
        assert (await client.ask("/calls", b"v=0", "application/sdp", "ek_guessed")).document["error"][
            "code"
        ] == "invalid_api_key"
        assert 55 < secret["expires_at"] - time.time() <= 60
        assert (await client.ask("/client_secrets", b"{}", key=KEY)).status == 200


async def test_the_answer_waits_for_servers_and_not_for_long(tmp_path: Path, autojump_clock: Clock) -> None:
    servers = """
    [ice_servers]
    providers = ["static"]
    [[ice_servers.settings.static.servers]]
    urls = ["turn:127.0.0.1:9"]
    username = "me"
    credential = "secret"
    """
    async with open_memory_exchange(tmp_path, CONFIG + servers, [PLUGIN]) as exchange:
        started = trio.current_time()
        client = Client(exchange)
        await client.take((await client.post()).body.decode())
        assert 0.3 <= trio.current_time() - started < 1


def test_client_secrets_are_bounded_until_they_expire() -> None:
    secrets = ClientSecrets()
    session, seal = random.Random(1).randbytes(MAX_SESSION_BYTES), bytes(32)

    def add(owner: str, now: float) -> str:
        return secrets.add(ClientSecret({}, owner, session, now + 60), seal, now)

    def fill(owner: str, now: float) -> int:
        count = 0
        with suppress(DoorRefused):
            while add(owner, now):
                count += 1
        return count

    first = add("shop", 0)
    assert fill("shop", 0) == fill("other", 0) - 1 > 100
    assert fill("third", 0) > 100
    assert fill("fourth", 0) > 100
    assert fill("fifth", 0) < 4, "what is left of four quarters"
    assert secrets.find(first, seal, 59) is not None
    assert secrets.find(first, seal, 60) is None
    assert fill("fifth", 60) > 100


SEAL = b"seal" * 8
SHOWN = {"authorization": "Bearer correct-horse-battery"}
SEALED = ClientSecrets().add(ClientSecret(SHOWN, "shop", b'{"instructions":"Be kind."}', 60), SEAL, 0)


def test_a_client_secret_is_good_in_another_process_that_has_the_same_key_and_shows_nothing() -> None:
    found = ClientSecrets().find(SEALED, SEAL, 59)
    assert found is not None
    assert (found.owner, found.shown, json.loads(found.session)) == ("shop", SHOWN, {"instructions": "Be kind."})
    assert ClientSecrets().find(SEALED, SEAL, 60) is None
    assert ClientSecrets().find(SEALED, SEAL[::-1], 59) is None
    assert b"battery" not in base64.urlsafe_b64decode(f"{SEALED.removeprefix('ek_')}===")
    assert len({ClientSecrets().add(ClientSecret(SHOWN, "shop", b"{}", 60), SEAL, 0) for _ in range(3)}) == 3


def test_a_client_secret_from_before_the_clock_was_set_is_good_as_long_as_it_was_to_be() -> None:
    seconds, offset = 100.0, 0.0
    secrets = ClientSecrets(WallClock(lambda: seconds + offset, lambda: seconds))
    value = secrets.add(ClientSecret(SHOWN, "shop", b"{}", 160.0), SEAL, 100.0)
    offset = 1_800_000_000.0
    assert secrets.find(value, SEAL, seconds + offset) is not None
    seconds = 161.0
    assert secrets.find(value, SEAL, seconds + offset) is None


@given(st.text(max_size=200) | st.integers(4, len(SEALED) - 1).map(lambda at: f"{SEALED[:at]}{SEALED[at + 1 :]}"))
def test_what_was_not_sealed_is_no_client_secret(value: str) -> None:
    """Fuzz: strangers send anything as a key, and parts of real ones."""
    assert ClientSecrets().find(f"ek_{value}", SEAL, 0) is None
    assert ClientSecrets().find(value, SEAL, 0) is None


async def test_nodes_of_a_cluster_know_each_others_client_secrets(tmp_path: Path, autojump_clock: Clock) -> None:
    settings = f'\n[routes.settings.openai-calls]\nsecret_key = "{"k" * 32}"\n'
    config = PLUGIN.config() + '\n[routes]\nenabled = ["openai-calls"]\n' + settings
    async with (
        open_memory_exchange(tmp_path, config, [PLUGIN]) as one,
        open_memory_exchange(tmp_path, config, [PLUGIN]) as another,
        open_memory_exchange(tmp_path, CONFIG, [PLUGIN]) as stranger,
    ):
        secret = (await Client(one).ask("/client_secrets")).document["value"]
        assert (await Client(another).post("/calls?model=test", secret)).status == 201
        assert (await Client(stranger).post("/calls?model=test", secret)).status == 401


@given(
    st.sampled_from([FORM, "application/sdp", 'multipart/form-data; boundary="a']),
    st.binary(max_size=300) | st.text('-a\r\n:;="', max_size=300).map(str.encode),
)
def test_wishes_are_read_or_refused(media_type: str, body: bytes) -> None:
    """Fuzz: nothing but Malformed comes of ``parse_wish_untrusted``."""
    with suppress(Malformed):
        assert isinstance(parse_wish_untrusted(media_type, body), Wish)


@given(st.binary(max_size=300) | st.text('{}[]":,1e9\\u', max_size=300).map(str.encode))
def test_objects_are_read_or_refused(data: bytes) -> None:
    """Fuzz: nothing but Malformed comes of ``parse_object_untrusted``, ``parse_secret_wish_untrusted`` and
    ``parse_preview_wish_untrusted``."""
    with suppress(Malformed):
        json.dumps(parse_object_untrusted(data))
        assert parse_preview_wish_untrusted(data, 600).seconds == 600
        assert 10 <= parse_secret_wish_untrusted(data, 600).seconds <= 600


@given(st.text(max_size=300) | st.text('{}[]":,1e9\\u').map(lambda text: f'{{"type":{text}'))
def test_events_are_read_or_refused(text: str) -> None:
    """Fuzz: nothing but Malformed comes of ``parse_event_untrusted``."""
    with suppress(Malformed):
        assert isinstance(parse_event_untrusted(text), dict)
