"""The dialect of the transport's data channel: RTVI, and a few words of the transport's own."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from glottis import HangUp, Malformed, Saying, ToAgent, ToClient

from glottis_pipecat.bot import Bot
from glottis_pipecat.messages import LABEL, Message, Voice, misfit, parse_message_untrusted, to_agent

PROTOCOL: Final = "2.0.0"
"""Of RTVI. With 2.1 clients would send keys by messages, which agents take as RTP (RFC 4733)."""
MAX_ECHOES: Final = 8
"""Texts of the client's that agents may repeat as what they have understood."""
MAX_CALLS: Final = 32
"""Of functions, that wait for their result."""
PEER_LEFT: Final = '{"type":"signalling","message":{"type":"peerLeft"}}'
"""Of the transport: its client hangs up, too, and does not look for another way to the same call."""
_PING: Final = "ping"
_OF_SESSION: Final = frozenset(
    ("state", "connection", "media", "statistics", "ice_servers", "resume", "interrupted", "resumed")
)
"""Events that are for clients of glottis' own."""


class Rtvi:
    """A ``Dialect``; of one call."""

    label: Final = "chat"

    def __init__(self) -> None:
        self._voice = Voice()
        self._bot = Bot(self._voice)
        self._written: deque[str] = deque(maxlen=MAX_ECHOES)
        self._calls: dict[str, str] = {}
        """Names of functions by the ids of their calls."""
        self._handlers: Mapping[str, Callable[[Message, dict[str, Any]], Iterator[Saying]]] = {
            "client-ready": self._greet,
            "disconnect-bot": self._hang_up,
            "send-text": self._send_text,
            "client-message": self._send_message,
            "llm-function-call-result": self._send_result,
        }

    def opened(self) -> Iterator[Saying]:
        """See ``Dialect``: the client speaks first."""
        return iter(())

    # The client

    def client_says(self, text: str) -> Iterator[Saying]:
        """See ``Dialect``."""
        if text.startswith(_PING):  # each second; it wants no answer
            return
        try:
            message = parse_message_untrusted(text)
        except Malformed as error:
            yield self._voice.say("error", {"error": f"Correct the message: {error}.", "fatal": False})
            return
        if message.label != LABEL:  # which tracks are on; their sound tells it
            return
        handle = self._handlers.get(message.type)
        if handle is None:
            known = ", ".join(self._handlers)
            yield self._voice.refuse(message, f"Unsupported type {message.type[:64]}; send one of {known}.")
        elif not isinstance(data := {} if message.data is None else message.data, dict):
            yield self._voice.refuse(message, "data: expected an object.")
        else:
            yield from handle(message, data)

    def _greet(self, message: Message, data: dict[str, Any]) -> Iterator[Saying]:
        yield self._voice.say("bot-ready", {"version": PROTOCOL, "about": {"library": "glottis"}}, message.id)

    def _hang_up(self, message: Message, data: dict[str, Any]) -> Iterator[Saying]:
        yield HangUp()

    def _send_text(self, message: Message, data: dict[str, Any]) -> Iterator[Saying]:
        content = data.get("content")
        if not isinstance(content, str) or not content.strip():
            yield self._voice.refuse(message, "data.content: expected a text.")
            return
        self._written.append(_words(content))
        yield ToAgent(content)

    def _send_message(self, message: Message, data: dict[str, Any]) -> Iterator[Saying]:
        kind, content = data.get("t"), data.get("d")
        if not isinstance(kind, str):
            yield self._voice.refuse(message, "data.t: expected a string.")
        else:
            told = to_agent("client-message", id=message.id, t=kind, d=content)
            complaint = misfit(told, content)
            yield self._voice.refuse(message, complaint) if complaint else told

    def _send_result(self, message: Message, data: dict[str, Any]) -> Iterator[Saying]:
        call_id, result = data.get("tool_call_id"), data.get("result")
        if not isinstance(call_id, str) or call_id not in self._calls:
            yield self._voice.refuse(message, "data.tool_call_id: expected one that the agent waits for.")
            return
        output = result if isinstance(result, str) else msgspec.json.encode(result).decode()
        told = to_agent("function_call_output", callId=call_id, output=output)
        if complaint := misfit(told, output):
            yield self._voice.refuse(message, complaint)
            return
        yield told
        name = self._calls.pop(call_id)
        stopped = {"function_name": name, "tool_call_id": call_id, "cancelled": False, "result": result}
        yield self._voice.say("llm-function-call-stopped", stopped)

    # The gateway

    def gateway_says(self, told: Mapping[str, Any]) -> Iterator[Saying]:
        """See ``Dialect``."""
        if told["type"] == "text":
            yield from self._bot.written(told["text"])
            return
        match told["name"], told["data"]:
            case "agent_state", {"state": "thinking"}:
                yield from self._bot.thinking()
            case "agent_state", {"state": "speaking"}:
                yield from self._bot.speaking()
            case "agent_state", {"state": "listening"}:
                yield from self._bot.listening()
            case "transcript", {"role": "agent", "text": str(text), **rest}:
                final, interrupted = rest.get("final") is not False, rest.get("interrupted") is True
                yield from self._bot.transcript(text, is_final=final, is_interrupted=interrupted)
            case "transcript", {"role": "user", "text": str(text), **rest}:
                yield from self._user_said(text, is_final=rest.get("final") is not False)
            case "caller_state", {"state": "speaking"}:
                yield self._voice.say("user-started-speaking")
            case "caller_state", {"state": "silent"}:
                yield self._voice.say("user-stopped-speaking")
            case "function_call", {"callId": str(call_id), "name": str(name), **rest}:
                yield from self._call(call_id, name, rest.get("arguments", {}))
            case "server_response", {"id": str(message_id), **rest}:
                yield self._voice.say("server-response", {"t": rest.get("t", ""), "d": rest.get("d")}, message_id)
            case "state", {"state": "ending"}:
                yield ToClient(PEER_LEFT)
            case str(name), data if name not in _OF_SESSION:
                yield self._voice.say("server-message", {"type": name, "data": data})

    def _user_said(self, text: str, *, is_final: bool) -> Iterator[Saying]:
        if (words := _words(text)) in self._written:  # it was not said
            self._written.remove(words)
        else:
            now = datetime.now(UTC).isoformat()
            yield self._voice.say(
                "user-transcription", {"text": text, "final": is_final, "timestamp": now, "user_id": ""}
            )
        if is_final:
            yield self._voice.say("user-llm-text", {"text": text})

    def _call(self, call_id: str, name: str, arguments: object) -> Iterator[Saying]:
        self._calls[call_id] = name
        if len(self._calls) > MAX_CALLS:
            del self._calls[next(iter(self._calls))]
        yield self._voice.say("llm-function-call-started", {"function_name": name})
        call = {"function_name": name, "tool_call_id": call_id, "arguments": arguments}
        yield self._voice.say("llm-function-call-in-progress", call)


def _words(text: str) -> str:
    return " ".join(text.split())
