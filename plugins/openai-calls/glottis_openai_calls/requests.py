"""What the client has written to the agent, until it wants an answer."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from glottis import Saying, ToAgent

from glottis_openai_calls.events import Events, is_id
from glottis_openai_calls.items import Items, message

MAX_HELD: Final = 32
"""Texts and outputs that wait for an answer to be wanted, and calls of functions that wait for their output."""


class Unusable(ValueError):
    """What the client wants cannot be: the sentence says what could."""


class Requests:
    """Items of the client's, and the functions of its that the agent has called."""

    def __init__(self, events: Events, items: Items) -> None:
        self._events = events
        self._items = items
        self._held: list[str] = []
        self._outputs: list[ToAgent] = []
        self._calls: dict[str, None] = {}

    @property
    def is_any(self) -> bool:
        """Whether there is something to answer."""
        return bool(self._held or self._outputs)

    @property
    def are_outputs(self) -> bool:
        """Whether that is outputs of functions, and nothing else."""
        return bool(self._outputs) and not self._held

    def called(self, call_id: str) -> None:
        """The agent waits for the output of this call of a function."""
        self._calls[call_id] = None
        if len(self._calls) > MAX_HELD:
            del self._calls[next(iter(self._calls))]

    def add(self, item: object) -> Iterator[Saying]:
        """An item of the client's. Raises ``Unusable`` for one that no agent can be told."""
        if not isinstance(item, dict):
            raise Unusable("item: expected an object")
        if item.get("id") is not None and not is_id(item["id"]):
            raise Unusable("item.id: expected a string of at most 64 characters")
        if len(self._held) + len(self._outputs) >= MAX_HELD:
            raise Unusable("item: too many are unanswered; send response.create first")
        item_id = item.get("id") or self._events.new_id("item")
        match item:
            case {"type": "message", "role": "user"}:
                text = _text(item.get("content"))
                self._held.append(text)
                return self._items.whole(message(item_id, "user", {"type": "input_text", "text": text}, "completed"))
            case {"type": "function_call_output", "call_id": str(call_id), "output": str(output)}:
                if call_id not in self._calls:
                    raise Unusable("item.call_id: expected one that the agent waits for")
                del self._calls[call_id]
                self._outputs.append(to_agent("function_call_output", callId=call_id, output=output))
                return self._items.whole(
                    {
                        "id": item_id,
                        "object": "realtime.item",
                        "type": "function_call_output",
                        "call_id": call_id,
                        "output": output,
                        "status": "completed",
                    }
                )
        raise Unusable("item: expected a message of the user's, or the output of a function")

    def take(self) -> tuple[str, list[ToAgent]]:
        """All that was written, and put out, which the agent is to answer now."""
        text, outputs = "\n".join(self._held), self._outputs
        self._held, self._outputs = [], []
        return text, outputs


def to_agent(kind: str, **members: Any) -> ToAgent:
    """A typed message."""
    return ToAgent(msgspec.json.encode({"type": kind, **members}).decode())


def _text(content: object) -> str:
    if not isinstance(content, list) or not content:
        raise Unusable("item.content: expected a list with a text")
    texts = [_part(part) for part in content]
    return "\n".join(texts)


def _part(part: object) -> str:
    if isinstance(part, Mapping) and part.get("type") == "input_text" and isinstance(text := part.get("text"), str):
        return text
    raise Unusable("item.content: expected input_text; agents take no images, and sound as RTP")
