"""Responses beside the conversation: written, and known by what the client says of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from glottis import Saying

from glottis_openai_calls.events import Events
from glottis_openai_calls.items import message
from glottis_openai_calls.requests import Unusable, sized, to_agent
from glottis_openai_calls.wanted import Wanted

MAX_ASIDES: Final = 4
"""At a time."""


class Asides:
    """Each method tells what the client is to be told."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._wanted: dict[str, Wanted] = {}

    def begin(self, wanted: Wanted) -> Iterator[Saying]:
        """One is wanted. Raises ``Unusable`` where there are too many."""
        if len(self._wanted) >= MAX_ASIDES:
            raise Unusable(f"response: expected at most {MAX_ASIDES} at a time that are not of the conversation")
        response_id = self._events.new_id("resp")
        given = {} if wanted.texts is None else {"input": wanted.texts}
        yield sized(to_agent("respond_aside", name=response_id, wishes=wanted.wishes, **given), "response")
        self._wanted[response_id] = wanted
        yield self._events.make("response.created", response=_document(response_id, wanted, "in_progress"))

    def cancel(self, response_id: object) -> Iterator[Saying] | None:
        """The client does not want this one any longer; None if there is none."""
        wanted = self._wanted.pop(response_id, None) if isinstance(response_id, str) else None
        if wanted is None:
            return None
        details = {"type": "cancelled", "reason": "client_cancelled"}
        document = _document(str(response_id), wanted, "cancelled", status_details=details)
        return iter([self._events.make("response.done", response=document)])

    def answered(self, response_id: str, text: str | None) -> Iterator[Saying]:
        """By the agent; None where it has no answer."""
        wanted = self._wanted.pop(response_id, None)
        if wanted is None:
            return
        if text is None:
            error = {"type": "server_error", "code": "no_answer", "message": "The agent has no answer."}
            document = _document(response_id, wanted, "failed", status_details={"type": "failed", "error": error})
        else:
            item = written(self._events.new_id("item"), text)
            of_output = {"response_id": response_id, "output_index": 0}
            begun = message(item["id"], "assistant", None, "in_progress")
            yield self._events.make("response.output_item.added", item=begun, **of_output)
            yield from text_part(self._events, text, item_id=item["id"], **of_output)
            yield self._events.make("response.output_item.done", item=item, **of_output)
            document = _document(response_id, wanted, "completed", output=[item])
        yield self._events.make("response.done", response=document)


def text_part(events: Events, text: str, **ids: Any) -> Iterator[Saying]:
    """A text that is there as a whole."""
    ids = {"content_index": 0, **ids}
    yield events.make("response.content_part.added", part={"type": "text", "text": ""}, **ids)
    yield events.make("response.output_text.delta", delta=text, **ids)
    yield events.make("response.output_text.done", text=text, **ids)
    yield events.make("response.content_part.done", part={"type": "text", "text": text}, **ids)


def written(item_id: str, text: str, status: str = "completed") -> dict[str, Any]:
    """What the agent has written."""
    return message(item_id, "assistant", {"type": "output_text", "text": text}, status)


def _document(response_id: str, wanted: Wanted, status: str, **members: Any) -> Mapping[str, Any]:
    document: dict[str, Any] = {
        "object": "realtime.response",
        "id": response_id,
        "conversation_id": None,
        "status": status,
        "output": [],
        "output_modalities": ["text"],
    }
    if wanted.metadata is not None:
        document["metadata"] = wanted.metadata
    return document | members
