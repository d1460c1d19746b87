"""The model: ``/chat/completions``, streamed, with tools."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import msgspec
from glottis import Malformed
from glottis_conversation import Message, Tool, ToolCall
from glottis_services import Answer, HttpService, ServiceFailed
from glottis_services.sse import event_data_untrusted

from glottis_openai.chunks import ToolCalls, pieces_of, read_chunk_untrusted
from glottis_openai.settings import ChatConfig, authorization, without_defaults
from glottis_openai.thoughts import Unthinking

if TYPE_CHECKING:
    import httpx2

DONE: Final = b"[DONE]"
MAX_REPLY: Final = 8 << 20
"""Bytes of a stream, of which a few hundred come for each word."""


class ChatCompletions:
    """The ``LanguageModel`` named ``openai``. ``transport`` stands in for the network in tests."""

    def __init__(self, config: ChatConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        self.must_call: str | None = None
        """See ``Choosing``."""
        self._config = config
        self._service = HttpService(config, transport)

    async def reply(self, history: Sequence[Message], tools: Sequence[Tool]) -> AsyncIterator[str | ToolCall]:
        """Text as it comes, without what the model thinks aloud, and then its calls. Raises ``ServiceFailed``."""
        calls, thoughts, is_empty = ToolCalls(len(history)), Unthinking(), True
        body = request_body(self._config, history, tools, self.must_call)
        try:
            async with (
                self._service.post("/chat/completions", authorization(self._config), json=body) as answer,
                aclosing(documents_untrusted(answer)) as documents,
            ):
                async for document in documents:
                    delta = read_chunk_untrusted(document)
                    calls.add_untrusted(delta.tool_calls or ())
                    for piece in pieces_of(delta):
                        if text := thoughts.spoken(piece):
                            is_empty = False
                            yield text
        except Malformed as error:
            raise ServiceFailed(f"{self._service.place}: {error}: check that url is that of a chat service") from None
        if rest := thoughts.rest():
            yield rest
        try:
            found = calls.complete_untrusted()
        except Malformed as error:
            raise ServiceFailed(f"{self._service.place}: {error}: check that model can call tools") from None
        for call in found:
            yield call
        if is_empty and not rest and not found:
            raise ServiceFailed(f"{self._service.place} has answered nothing: check url and model")


async def documents_untrusted(answer: Answer) -> AsyncGenerator[bytes, None]:
    """The JSON documents of a stream, or the one of a service that does not stream. Raises ``Malformed``."""
    if answer.media_type == "application/json":
        yield await answer.whole(MAX_REPLY)
        return
    async with aclosing(answer.parts(MAX_REPLY)) as parts, aclosing(event_data_untrusted(parts)) as events:
        async for data in events:
            if data.strip() == DONE:
                return
            yield data


def request_body(
    config: ChatConfig, history: Sequence[Message], tools: Sequence[Tool], must_call: str | None = None
) -> dict[str, Any]:
    """What is asked for."""
    functions = [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]
    return {
        "model": config.model,
        "messages": [_message(each) for each in history],
        "stream": True,
        **({"tools": functions, **_choice(must_call)} if functions else {}),
        **without_defaults(config, "temperature"),
        **config.extra,
    }


def _choice(must_call: str | None) -> dict[str, Any]:
    if must_call is None:
        return {}
    return {"tool_choice": {"type": "function", "function": {"name": must_call}} if must_call else "required"}


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        found["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        found["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    return found


def _tool_call(call: ToolCall) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
