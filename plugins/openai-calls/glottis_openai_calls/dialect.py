"""The dialect of the data channel ``oai-events``: what the client says, and what it is told, as Realtime events."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
import trio
from glottis import Malformed, Saying, ToAgent
from glottis.contracts.wishes import WISHES

from glottis_openai_calls.bodies import wrong_with_session
from glottis_openai_calls.events import Events, parse_event_untrusted
from glottis_openai_calls.items import Items, message
from glottis_openai_calls.requests import Requests, Unusable, to_agent
from glottis_openai_calls.responses import Responses
from glottis_openai_calls.sessions import described, merged
from glottis_openai_calls.wishes import in_force, wished

MAX_ECHOES: Final = 8
"""Texts of the client's that agents may repeat as what they have understood."""

_BY_RTP: Final = (
    "Send sound by RTP: the agent finds turns in it, and session.updated says which turn_detection there is."
)
_REMEMBERED: Final = "Keep the items that you are told of: the agent remembers what was said, and nobody else."
NOT_HERE: Final = {
    "input_audio_buffer.append": _BY_RTP,
    "input_audio_buffer.clear": _BY_RTP,
    "input_audio_buffer.commit": _BY_RTP,
    "conversation.item.delete": _REMEMBERED,
    "conversation.item.retrieve": _REMEMBERED,
}
"""Events that are refused, with what to do in their place."""


class Realtime:
    """A ``Dialect``; of one call."""

    label: Final = "oai-events"

    def __init__(self, session: Mapping[str, Any]) -> None:
        self._session = dict(session)
        self._honoured: frozenset[str] = frozenset()
        """The wishes that the agent goes by."""
        self._told: Mapping[str, Any] = {}
        """The session as the client was told it last."""
        self._events = Events()
        self._items = Items(self._events)
        self._responses = Responses(self._events, self._items)
        self._requests = Requests(self._events, self._items)
        self._written: deque[str] = deque(maxlen=MAX_ECHOES)
        self._began_at = 0.0
        self._speaking_item = ""
        """Of what the caller is saying."""
        self._spoken_item = ""
        """Of what it has said last, while that is not understood."""
        self._spoke_at = self._spoken_ms = 0
        self._handlers: Mapping[str, Callable[[dict[str, Any]], Iterator[Saying]]] = {
            "session.update": self._update_session,
            "conversation.item.create": self._create_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
            "output_audio_buffer.clear": self._clear_output,
        }

    def opened(self) -> Iterator[Saying]:
        """See ``Dialect``."""
        self._began_at = trio.current_time()
        self._told = in_force(self._session, self._honoured)
        yield self._events.make("session.created", session=self._told)

    # The client

    def client_says(self, text: str) -> Iterator[Saying]:
        """See ``Dialect``."""
        try:
            event = parse_event_untrusted(text)
        except Malformed as error:
            yield self._events.refusal({}, "invalid_event", f"Correct the event: {error}.")
            return
        if (why := NOT_HERE.get(event["type"])) is not None:
            yield self._events.refusal(event, "unsupported_event", why, "type")
            return
        handle = self._handlers.get(event["type"])
        if handle is None:
            known = ", ".join(self._handlers)
            yield self._events.refusal(
                event, "unknown_event", f"Send one of {known}; there are no others here.", "type"
            )
            return
        try:
            yield from handle(event)
        except Unusable as error:
            yield self._events.refusal(event, "invalid_event", f"Correct the event: {error}.")

    def _update_session(self, event: dict[str, Any]) -> Iterator[Saying]:
        changes, model = event.get("session"), self._session["model"]
        if not isinstance(changes, dict) or (wrong := wrong_with_session(changes)):
            raise Unusable(wrong if isinstance(changes, dict) else "session: expected an object")
        session = described(merged(self._session, changes), model)
        if wrong := wrong_with_session(session):  # it is not to grow
            raise Unusable(wrong)
        self._session = session
        yield to_agent("metadata", realtime=session)
        yield to_agent("metadata", **{WISHES: wished(session)})
        yield from self._tell_session()

    def _tell_session(self) -> Iterator[Saying]:
        self._told = in_force(self._session, self._honoured)
        yield self._events.make("session.updated", session=self._told)

    def _honour(self, names: list[Any]) -> Iterator[Saying]:
        """The agent says which wishes it goes by."""
        self._honoured = frozenset(name for name in names if isinstance(name, str))
        if in_force(self._session, self._honoured) != self._told:
            yield from self._tell_session()

    def _create_item(self, event: dict[str, Any]) -> Iterator[Saying]:
        yield from self._requests.add(event.get("item"))

    def _create_response(self, event: dict[str, Any]) -> Iterator[Saying]:
        wanted = event.get("response", {})
        if not isinstance(wanted, dict):
            raise Unusable("response: expected an object")
        if wanted.get("conversation", "auto") != "auto" or "input" in wanted:
            raise Unusable(
                "response: agents answer in the conversation that there is; leave conversation and input out"
            )
        if self._responses.is_active and self._requests.are_outputs:
            _, outputs = self._requests.take()
            yield from outputs  # what goes on is the answer to them
        elif self._responses.is_active:
            code = "conversation_already_has_active_response"
            yield self._events.refusal(event, code, "Wait for response.done, or cancel the response that there is.")
        elif not self._requests.is_any and "respond" in self._honoured:
            yield from self._responses.begin()
            yield to_agent("respond")
        elif not self._requests.is_any:
            yield self._events.refusal(
                event, "nothing_to_answer", "Create an item first: agents answer speech by themselves."
            )
        else:
            text, outputs = self._requests.take()
            yield from self._responses.begin()
            yield from outputs
            if text:
                self._written.append(" ".join(text.split()))
                yield ToAgent(text)

    def _cancel_response(self, event: dict[str, Any]) -> Iterator[Saying]:
        if not self._responses.is_active:
            yield self._events.refusal(event, "response_cancel_not_active", "There is no response to cancel.")
        else:
            yield from self._interrupt()

    def _clear_output(self, event: dict[str, Any]) -> Iterator[Saying]:
        yield from self._interrupt()

    def _truncate_item(self, event: dict[str, Any]) -> Iterator[Saying]:
        item_id, heard = event.get("item_id"), event.get("audio_end_ms")
        if not isinstance(item_id, str) or item_id != self._responses.item_id:
            raise Unusable("item_id: expected the item that is being said; of others the agent knows what was heard")
        if isinstance(heard, bool) or not isinstance(heard, int) or not 0 <= heard < 1 << 31:
            raise Unusable("audio_end_ms: expected milliseconds")
        yield self._events.make("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=heard)
        yield from self._interrupt()

    def _interrupt(self) -> Iterator[Saying]:
        if self._responses.cancel():
            yield to_agent("interrupt")

    # The gateway

    def gateway_says(self, told: Mapping[str, Any]) -> Iterator[Saying]:
        """See ``Dialect``."""
        if told["type"] == "text":
            yield from self._responses.written(told["text"])
            return
        match told["name"], told["data"]:
            case "agent_state", {"state": "thinking"}:
                yield from self._responses.thinking()
            case "agent_state", {"state": "speaking"}:
                yield from self._responses.speaking()
            case "agent_state", {"state": "listening"}:
                yield from self._responses.listening()
            case "transcript", {"role": "agent", "text": str(text), **rest}:
                final, interrupted = rest.get("final") is not False, rest.get("interrupted") is True
                yield from self._responses.transcript(text, is_final=final, is_interrupted=interrupted)
            case "transcript", {"role": "user", "text": str(text), **rest}:
                yield from self._user_said(text, is_final=rest.get("final") is not False)
            case "caller_state", {"state": "speaking"}:
                yield from self._start_speech()
            case "caller_state", {"state": "silent"}:
                yield from self._stop_speech()
            case "wishes", {"honoured": [*names]}:
                yield from self._honour(names)
            case "function_call", {"callId": str(call_id), "name": str(name), **rest}:
                arguments = rest.get("arguments", {})
                text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
                self._requests.called(call_id)
                yield from self._responses.calls(name, call_id, text)

    def _user_said(self, text: str, *, is_final: bool) -> Iterator[Saying]:
        if " ".join(text.split()) in self._written:  # as an item was
            self._written.remove(" ".join(text.split()))
            return
        if not self._spoken_item:
            yield from self._start_speech()
        if is_final:
            if not self._spoken_item:
                yield from self._stop_speech()
            yield from self._commit(text)

    def _start_speech(self) -> Iterator[Saying]:
        if not self._speaking_item:
            self._speaking_item, self._spoke_at = self._events.new_id("item"), self._now_ms()
            yield self._events.make(
                "input_audio_buffer.speech_started", audio_start_ms=self._spoke_at, item_id=self._speaking_item
            )

    def _stop_speech(self) -> Iterator[Saying]:
        if self._speaking_item:
            now = self._now_ms()
            self._spoken_item, self._speaking_item = self._speaking_item, ""
            self._spoken_ms = now - self._spoke_at
            yield self._events.make("input_audio_buffer.speech_stopped", audio_end_ms=now, item_id=self._spoken_item)

    def _commit(self, text: str) -> Iterator[Saying]:
        item_id, self._spoken_item = self._spoken_item, ""
        yield self._events.make("input_audio_buffer.committed", item_id=item_id, previous_item_id=self._items.last)
        content = {"type": "input_audio", "transcript": text}
        yield from self._items.whole(message(item_id, "user", content, "completed"))
        yield self._events.make(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": self._spoken_ms / 1000},
        )

    def _now_ms(self) -> int:
        return round(1000 * (trio.current_time() - self._began_at))
