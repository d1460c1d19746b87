"""By the types of the package ``openai``: all that is sent is of them, and so is what the tests take for answers."""

import io
from typing import Any

import httpx2
import pytest
import trio
import trio.testing
from glottis import AudioFrame, Component, Secret, TextMessage
from glottis.audio import chunks
from glottis.testing import fake_call
from glottis_conversation import Message, Tool, ToolCall
from glottis_openai import (
    ChatCompletions,
    ChatConfig,
    RealtimeConfig,
    Speech,
    SpeechConfig,
    TranscriptionConfig,
    Transcriptions,
    realtime,
)
from support.realtime import RATE, Model, called, created, done, event, spoken
from support.services import FakeService, call_piece, chunk, events, streamed
from support.socket_service import socket_service
from support.talking import LOUD, Loudness, speech
from support.vendor_types import check_all

pytestmark = pytest.mark.interop


async def no_tool(arguments: Any) -> str:
    return ""


async def opening_hours(day: str) -> str:
    """When the shop is open."""
    return "nine to six"


async def test_chat() -> None:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

    answers = [chunk("Let me see."), chunk(tool_calls=[call_piece(0, "time", "{}", "a")])]
    assert check_all(ChatCompletionChunk, answers) == 2
    service = FakeService(streamed(events(answers)), streamed(events(answers)))
    model = ChatCompletions(ChatConfig(model="m", temperature=0.5, extra={"seed": 1}), service.transport)
    history = [
        Message("system", "Be kind."),
        Message("user", "When?"),
        Message("assistant", "", (ToolCall("time", {"zone": "UTC"}, "a"),)),
        Message("tool", "five", tool_call_id="a"),
        Message("assistant", "It is five."),
        Message("user", "And now?"),
    ]
    tool = Tool("time", "The time.", {"type": "object", "properties": {}}, no_tool)
    assert [piece async for piece in model.reply(history, [tool])] == ["Let me see.", ToolCall("time", {}, "a")]
    model.must_call = "time"
    assert [piece async for piece in model.reply(history, [tool])]
    assert check_all(CompletionCreateParamsStreaming, service.bodies) == 2


async def test_speech() -> None:
    from openai.types.audio import SpeechCreateParams

    service = FakeService(streamed(speech(0.1), content_type="audio/pcm"))
    voice = Speech(SpeechConfig(instructions="Calm.", speed=1.5), service.transport)
    assert [frame async for frame in voice.synthesize("Five.")]
    assert check_all(SpeechCreateParams, service.bodies) == 1


async def test_transcriptions() -> None:
    from openai.types.audio import Transcription
    from openai.types.audio.transcription_create_params import TranscriptionCreateParamsNonStreaming

    answer = Transcription(text="Five.")
    service = FakeService(httpx2.Response(200, content=answer.model_dump_json()))
    ear = Transcriptions(TranscriptionConfig(language="en", prompt="bread"), service.transport)

    async def audio() -> Any:
        for frame in chunks(AudioFrame(speech(0.5), 16000)):
            yield frame

    assert [each.text async for each in ear.transcribe(audio())] == ["Five."]
    (request,) = service.requests
    fields = multipart_fields(request)
    assert fields.pop("file") == speech(0.5)
    known = TranscriptionCreateParamsNonStreaming
    assert known.__required_keys__ <= {*fields, "file"} <= known.__required_keys__ | known.__optional_keys__
    assert fields == {
        "model": "gpt-4o-mini-transcribe",
        "language": "en",
        "prompt": "bread",
        "response_format": "json",
    }


def multipart_fields(request: httpx2.Request) -> dict[str, Any]:
    import email
    import wave

    message = email.message_from_bytes(
        b"Content-Type: " + request.headers["content-type"].encode() + b"\n\n" + request.content
    )
    found: dict[str, Any] = {}
    for part in message.walk():
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        name = str(part.get_param("name", header="content-disposition"))
        if part.get_content_type() == "audio/wav":
            with wave.open(io.BytesIO(payload)) as file:
                found[name] = file.readframes(file.getnframes())
        else:
            found[name] = payload.decode()
    return found


@pytest.mark.parametrize("turn_detection", ["server_vad", "semantic_vad", "local"])
async def test_realtime(turn_detection: Any, autojump_clock: trio.testing.MockClock) -> None:
    from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

    model = Model(
        [created(), *spoken("b", "Hello.", LOUD * RATE), done()],
        [created(), called("opening_hours", '{"day": "Monday"}'), done()],
        [created(), *spoken("a", "Nine to six.", LOUD * 3 * RATE)],
    )
    config = RealtimeConfig(
        url="https://model.example/v1",
        api_key=Secret("sk-correct-horse-battery"),
        instructions="Be kind.",
        greeting="Hello!",
        turn_detection=turn_detection,
        transcription_model="gpt-4o-mini-transcribe",
        vad=Component("loudness", Loudness),
    )
    async with socket_service(model.behave) as service:
        agent = realtime(config, tools=[opening_hours], connect=service.connect)
        async with fake_call(agent, sample_rate=RATE) as call:
            await trio.sleep(2)
            call.caller_writes(TextMessage("When?"))
            await trio.sleep(2)
            if turn_detection != "local":
                await model.say(service.peer, event("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0))
            await call.caller_speaks(LOUD * RATE)
            if turn_detection != "local":
                await model.say(service.peer, event("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=9))
            await call.caller_speaks(bytes(4 * RATE))
    told = {each["type"] for each in service.peer.said}
    ours = {"response.cancel", "input_audio_buffer.commit"} if turn_detection == "local" else set()
    assert told == {"session.update", "conversation.item.create", "response.create", "input_audio_buffer.append",
                    "conversation.item.truncate", *ours}  # fmt: skip
    assert check_all(RealtimeClientEvent, service.peer.said) > 10
    assert check_all(RealtimeServerEvent, model.events) > 10
