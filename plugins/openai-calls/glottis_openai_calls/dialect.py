"""The dialect of the data channel ``oai-events``: what the client says, and what it is told, as Realtime events."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from glottis import Malformed, Saying, ToAgent
from glottis.contracts.wishes import WISHES

from glottis_openai_calls.asides import Asides
from glottis_openai_calls.bodies import wrong_with_session
from glottis_openai_calls.events import Events, parse_event_untrusted
from glottis_openai_calls.input_audio import InputAudio
from glottis_openai_calls.items import Items
from glottis_openai_calls.requests import Requests, Unusable, sized, to_agent
from glottis_openai_calls.responses import Responses
from glottis_openai_calls.sessions import described, merged, modern
from glottis_openai_calls.wanted import Wanted, wanted_of
from glottis_openai_calls.wishes import in_force, is_by_hand, modalities, wished

_BY_RTP: Final = "send sound by the track of the peer connection, for nothing else is heard"
_BY_HAND: Final = (
    "Set turn_detection to null first. Where session.updated has another one, the agent finds turns by itself."
)
_NOT_HERE: Final = "unsupported_event"
NOT_HERE: Final = {
    "input_audio_buffer.append": _BY_RTP,
}
"""Events that are refused, with what to do in their place."""


class Realtime:
    """A ``Dialect``; of one call."""

    label: Final = "oai-events"

    def __init__(self, session: Mapping[str, Any]) -> None:
        self._session = dict(session)
        self._honoured: frozenset[str] = frozenset()
        """The wishes that the agent goes by."""
        self._voices: tuple[str, ...] = ()
        """The names of those that it has."""
        self._missed_voice = ""
        """The one that the client knows not to be there."""
        self._told: Mapping[str, Any] = {}
        """The session as the client was told it last."""
        self._events = Events()
        self._items = Items(self._events)
        self._responses = Responses(self._events, self._items)
        self._requests = Requests(self._events, self._items)
        self._asides = Asides(self._events)
        self._input = InputAudio(self._events, self._items)
        self._handlers: Mapping[str, Callable[[dict[str, Any]], Iterator[Saying]]] = {
            "session.update": self._update_session,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
            "output_audio_buffer.clear": self._clear_output,
            "input_audio_buffer.commit": self._commit_input,
            "input_audio_buffer.clear": self._clear_input,
        }

    def opened(self) -> Iterator[Saying]:
        """See ``Dialect``."""
        self._input.begin()
        self._told = self._in_force
        yield self._events.make("session.created", session=self._told)

    # The client

    def client_says(self, text: str) -> Iterator[Saying]:
        """See ``Dialect``."""
        try:
            event = parse_event_untrusted(text)
        except Malformed as error:
            yield self._events.refusal({}, "invalid_event", f"Correct the event: {error}.")
            return
        try:
            yield from self._handler_of(event)(event)
        except Unusable as error:
            yield self._events.refusal(event, error.code, f"Correct the event: {error}.", error.param)

    def _handler_of(self, event: dict[str, Any]) -> Callable[[dict[str, Any]], Iterator[Saying]]:
        kind = event.get("type")
        if not isinstance(kind, str):
            raise Unusable("type: expected a string")
        if (why := NOT_HERE.get(kind)) is not None:
            raise Unusable(f"type: {why}", _NOT_HERE)
        if (handle := self._handlers.get(kind)) is None:
            raise Unusable(f"type: expected one of {', '.join(self._handlers)}", "unknown_event")
        return handle

    def _update_session(self, event: dict[str, Any]) -> Iterator[Saying]:
        changes, model = event.get("session"), self._session["model"]
        if not isinstance(changes, dict) or (wrong := wrong_with_session(changes)):
            raise Unusable(wrong if isinstance(changes, dict) else "session: expected an object")
        session = described(merged(self._session, modern(changes)), model)
        if wrong := wrong_with_session(session):  # it is not to grow
            raise Unusable(wrong)
        self._check_voice(wished(session), "session")
        self._session = session
        yield to_agent("metadata", realtime=session)
        yield to_agent("metadata", **{WISHES: wished(session)})
        yield from self._tell_session()
        yield from self._miss_voice(event)

    def _tell_session(self) -> Iterator[Saying]:
        before, self._told = is_by_hand(self._told), self._in_force
        self._responses.modalities = self._told["output_modalities"]
        if is_by_hand(self._told) and not before:
            self._input.by_hand()
        yield self._events.make("session.updated", session=self._told)

    @property
    def _in_force(self) -> dict[str, Any]:
        return in_force(self._session, self._honoured, self._voices)

    def _check_voice(self, wishes: Mapping[str, Any], path: str) -> None:
        """An agent that has several says which."""
        wanted = wishes.get("voice", "")
        if self._voices and wanted and wanted not in self._voices:
            raise Unusable(f"{path}.audio.output.voice: {self._which_voice}", "invalid_value")

    @property
    def _which_voice(self) -> str:
        return f"expected one of {', '.join(self._voices)}" if self._voices else "leave it out; this agent has one"

    def _miss_voice(self, event: Mapping[str, Any]) -> Iterator[Saying]:
        """The rest of the session is in force without a voice that there is not; that is told once."""
        wanted = wished(self._session).get("voice", "")
        if wanted and wanted not in self._voices and wanted != self._missed_voice:
            self._missed_voice, at = wanted, "session.audio.output.voice"
            yield self._events.refusal(event, "invalid_value", f"Correct the event: {at}: {self._which_voice}.", at)

    def _honour(self, names: list[Any], voices: object) -> Iterator[Saying]:
        """The agent says which wishes it goes by."""
        self._honoured = frozenset(name for name in names if isinstance(name, str))
        self._voices = tuple(each for each in voices if isinstance(each, str)) if isinstance(voices, list) else ()
        self._requests.keeps_items = {"items", "respond"} <= self._honoured
        self._requests.may_instruct = "instructions" in self._honoured
        if self._in_force != self._told:
            yield from self._tell_session()
        yield from self._miss_voice({})

    def _create_response(self, event: dict[str, Any]) -> Iterator[Saying]:
        wanted = wanted_of(event.get("response"), self._items)
        self._check_voice(wanted.wishes, "response")
        if wanted.is_aside:
            yield from self._begin_aside(wanted)
        elif self._responses.is_active and self._requests.are_outputs:
            _, outputs = self._requests.take()
            yield from outputs  # what goes on is the answer to them
        elif self._responses.is_active:
            code = "conversation_already_has_active_response"
            yield self._events.refusal(event, code, "Wait for response.done, or cancel the response that there is.")
        elif "respond" in self._honoured or self._requests.is_any:
            yield from self._begin_response(wanted)
        else:
            yield self._events.refusal(
                event, "nothing_to_answer", "Create an item first: agents answer speech by themselves."
            )

    def _begin_response(self, wanted: Wanted) -> Iterator[Saying]:
        own = modalities(wanted.wishes, self._honoured) if "speaks" in wanted.wishes else None
        respond = sized(to_agent("respond", wishes=wanted.wishes), "response")
        text, outputs = self._requests.take()
        yield from self._responses.begin(own, wanted.metadata)
        yield from outputs
        if text:
            self._input.wrote(text)
            yield ToAgent(text)
        elif "respond" in self._honoured:  # who waits for the outputs has them, and answers already
            yield respond

    def _begin_aside(self, wanted: Wanted) -> Iterator[Saying]:
        if "asides" not in self._honoured:
            raise Unusable("response.conversation: expected auto; this agent has one conversation", _NOT_HERE)
        if modalities(wanted.wishes, ("speech",)) != ["text"] and self._responses.modalities != ["text"]:
            raise Unusable('response.output_modalities: expected ["text"]; what is beside the conversation is written')
        yield from self._asides.begin(wanted)

    def _cancel_response(self, event: dict[str, Any]) -> Iterator[Saying]:
        response_id = event.get("response_id")
        if (cancelled := self._asides.cancel(response_id)) is not None:
            yield from cancelled
        elif not self._responses.is_active or response_id not in (None, self._responses.id):
            yield self._events.refusal(event, "response_cancel_not_active", "There is no response to cancel.")
        else:
            yield from self._interrupt()

    def _clear_output(self, event: dict[str, Any]) -> Iterator[Saying]:
        yield from self._interrupt()

    # Its items

    def _create_item(self, event: dict[str, Any]) -> Iterator[Saying]:
        yield from self._requests.add(event.get("item"), event.get("previous_item_id"))

    def _retrieve_item(self, event: dict[str, Any]) -> Iterator[Saying]:
        item = self._items.find(event.get("item_id"))
        if item is None:
            raise Unusable("item_id: expected that of an item", "item_retrieve_invalid_item_id")
        yield self._events.make("conversation.item.retrieved", item=item)

    def _delete_item(self, event: dict[str, Any]) -> Iterator[Saying]:
        item_id = event.get("item_id")
        if not isinstance(item_id, str) or self._items.find(item_id) is None:
            raise Unusable("item_id: expected that of an item", "item_delete_invalid_item_id")
        name = self._items.name_of(item_id)
        if not self._requests.keeps_items or name is None:
            what = "a message that is done; the agent remembers the others"
            raise Unusable(f"item_id: expected {what}", _NOT_HERE)
        self._items.delete(item_id)
        yield to_agent("item_delete", item=name)
        yield self._events.make("conversation.item.deleted", item_id=item_id)

    def _truncate_item(self, event: dict[str, Any]) -> Iterator[Saying]:
        item_id, heard = event.get("item_id"), event.get("audio_end_ms")
        if not isinstance(item_id, str) or item_id != self._responses.item_id:
            why = "expected the item that is being said; of others the agent remembers what was heard"
            raise Unusable(f"item_id: {why}", "item_truncate_invalid_item_id")
        if isinstance(heard, bool) or not isinstance(heard, int) or not 0 <= heard < 1 << 31:
            raise Unusable("audio_end_ms: expected milliseconds")
        yield self._events.make("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=heard)
        yield from self._interrupt()

    def _commit_input(self, event: dict[str, Any]) -> Iterator[Saying]:
        if not is_by_hand(self._told):
            yield self._events.refusal(event, "unsupported_event", _BY_HAND, "type")
        elif self._input.is_empty:
            why = "Speak for 100 ms at least, and commit then."
            yield self._events.refusal(event, "input_audio_buffer_commit_empty", why)
        else:
            yield from self._input.commit()

    def _clear_input(self, event: dict[str, Any]) -> Iterator[Saying]:
        if is_by_hand(self._told):
            yield from self._input.clear()
        else:
            yield self._events.refusal(event, "unsupported_event", _BY_HAND, "type")

    def _interrupt(self) -> Iterator[Saying]:
        if self._responses.cancel():
            yield to_agent("interrupt")
            yield from self._responses.give_up()

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
            case "transcript", {"role": "agent", "text": str()} as said:
                yield from self._responses.transcript(said)
            case "transcript", {"role": "user", "text": str()} as said:
                yield from self._input.understood(said)
            case "caller_state", {"state": "speaking"}:
                yield from self._input.start()
            case "caller_state", {"state": "silent"}:
                yield from self._input.stop()
            case "aside", {"name": str(name), **rest}:
                text = rest.get("text")
                yield from self._asides.answered(name, text if isinstance(text, str) else None)
            case "wishes", {"honoured": [*names], **rest}:
                yield from self._honour(names, rest.get("voices"))
            case "function_call", {"callId": str(call_id), "name": str(name), **rest}:
                arguments = rest.get("arguments", {})
                encoded = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
                self._requests.called(call_id)
                yield from self._responses.calls(name, call_id, encoded)
