"""The events of OpenAI Realtime: those that are sent, and what is read of those that come."""

import base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from glottis import Malformed
from glottis_conversation import Tool
from glottis_services.errors import is_name

from glottis_openai.realtime_settings import RealtimeConfig

RATE: Final = 24000
"""Hertz: the only rate of its ``audio/pcm``."""


class Item(msgspec.Struct):
    """Of a conversation: a message, or a call of a tool."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class Error(msgspec.Struct):
    """What is wrong. Its message is not read: it may quote."""

    type: str | None = None
    code: str | int | float | None = None
    """Some servers have numbers here, which say nothing."""


class StatusDetails(msgspec.Struct):
    """Why a response has no end, or none yet."""

    error: Error | None = None


class Response(msgspec.Struct):
    """An answer, made of items."""

    status: str | None = None
    status_details: StatusDetails | None = None


class Event(msgspec.Struct):
    """What is read of all events of the service."""

    type: str
    item_id: str = ""
    delta: str = ""
    transcript: str = ""
    text: str = ""
    item: Item | None = None
    response: Response | None = None
    error: Error | None = None
    pcm: bytes = b""
    """What it says, in whichever way that came."""


def read_event_untrusted(message: bytes) -> Event:
    """Raises ``Malformed`` for what is none."""
    try:
        event = msgspec.json.decode(message, type=Event)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Malformed("it says what is no event of OpenAI Realtime") from None
    # older servers, and most others than OpenAI's, name these without "output_"
    event.type = event.type.replace("response.audio", "response.output_audio").replace(
        "response.text", "response.output_text"
    )
    event.pcm = samples_of_untrusted(event.delta) if event.type == "response.output_audio.delta" else b""
    return event


def name_of(error: Error) -> str:
    """What an error is called."""
    return next((each for each in (error.code, error.type) if isinstance(each, str) and is_name(each)), "of no name")


def samples_of_untrusted(delta: str) -> bytes:
    """The audio of an event. Raises ``Malformed`` for what is none."""
    try:
        return base64.b64decode(delta, validate=True)
    except ValueError:
        raise Malformed("it says what is no audio") from None


def session_update(config: RealtimeConfig, tools: Sequence[Tool]) -> dict[str, Any]:
    """What the session is to be like."""
    form = {"type": "audio/pcm", "rate": RATE}
    turn_detection = None
    if config.turn_detection != "local":
        turn_detection = {"type": config.turn_detection, "create_response": True, "interrupt_response": True}
    heard: dict[str, Any] = {"format": form, "turn_detection": turn_detection}
    if config.transcription_model:
        heard["transcription"] = {"model": config.transcription_model}
    session: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": heard, "output": {"format": form, "voice": config.voice}},
        "tools": [_tool(tool) for tool in tools],
        "tool_choice": "auto",
    }
    if config.instructions:
        session["instructions"] = config.instructions
    return {"type": "session.update", "session": session}


def _tool(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}


def audio_append(pcm: bytes) -> dict[str, Any]:
    """The caller's voice."""
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def user_text(text: str) -> dict[str, Any]:
    """What the caller has written."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}


def tool_result(call_id: str, output: str) -> dict[str, Any]:
    """What a tool has said."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return {"type": "conversation.item.create", "item": item}


def response_create(instructions: str = "") -> dict[str, Any]:
    """It is the model's turn."""
    return {"type": "response.create", **({"response": {"instructions": instructions}} if instructions else {})}


def truncate(item_id: str, heard_ms: int) -> dict[str, Any]:
    """The caller has heard no more than this of what it has said."""
    return {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms}
