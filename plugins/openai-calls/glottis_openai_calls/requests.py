"""What the client has written to the agent, until it wants an answer."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from glottis import Saying, ToAgent

from glottis_openai_calls.events import Events, is_id
from glottis_openai_calls.items import FIRST, Items, message

MAX_HELD: Final = 32
"""Texts and outputs that wait for an answer to be wanted, and calls of functions that wait for their output."""
MAX_MESSAGE: Final = 15 * 1024
"""Bytes of JSON in a typed message: beyond 16 KiB agents would take it for a text."""
_CONTENT: Final = {"user": ("input_text",), "system": ("input_text",), "assistant": ("output_text", "text")}


class Unusable(ValueError):
    """What the client wants cannot be: the sentence says what could. ``code`` names the error."""

    def __init__(self, sentence: str, code: str = "invalid_event") -> None:
        super().__init__(sentence)
        self.code = code
        path, colon, _ = sentence.partition(": ")
        self.param = path if colon else None
        """The path of what is wrong."""


class Requests:
    """Items of the client's, and the functions of its that the agent has called."""

    def __init__(self, events: Events, items: Items) -> None:
        self._events = events
        self._items = items
        self._held: list[str] = []
        self._outputs: list[ToAgent] = []
        self._calls: dict[str, None] = {}
        self.keeps_items = False
        """Whether the agent keeps them in its history, as they come."""
        self.may_instruct = False
        """Whether it takes those of the system."""

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

    def add(self, item: object, after: object = None) -> Iterator[Saying]:
        """An item of the client's, behind another one or at the end. Raises ``Unusable`` for what agents take not."""
        if not isinstance(item, dict):
            raise Unusable("item: expected an object")
        item_id = self._id_of(item)
        if len(self._held) + len(self._outputs) >= MAX_HELD:
            raise Unusable("item: too many are unanswered; send response.create first")
        place = self._place(after)
        match item:
            case {"type": "message", "role": "user" | "assistant" | "system" as role}:
                return self._add_message(item_id, role, _text(item.get("content"), _CONTENT[role]), place)
            case {"type": "function_call_output", "call_id": str(call_id), "output": str(output)} if place is None:
                return self._add_output(item_id, call_id, output)
        raise Unusable("item: expected a message, or the output of a function at the end")

    def take(self) -> tuple[str, list[ToAgent]]:
        """All that was written, and put out, which the agent is to answer now."""
        text, outputs = "\n".join(self._held), self._outputs
        self._held, self._outputs = [], []
        return text, outputs

    def _id_of(self, item: Mapping[str, Any]) -> str:
        item_id = item.get("id")
        if item_id is None:
            return self._events.new_id("item")
        if not is_id(item_id) or item_id == FIRST:
            raise Unusable("item.id: expected a string of at most 64 characters")
        if self._items.find(item_id) is not None:
            raise Unusable("item.id: expected one that there is not yet")
        return str(item_id)

    def _place(self, after: object) -> str | None:
        """The id of the item that it is to follow, as far as that is not the last."""
        if after is None or after == self._items.last:
            return None
        if not self.keeps_items:
            raise Unusable("previous_item_id: leave it out; this agent takes items at the end")
        if not isinstance(after, str) or (after != FIRST and self._items.find(after) is None):
            raise Unusable("previous_item_id: expected the id of an item, or root", "item_not_found")
        if after != FIRST and self._items.name_of(after) is None:
            raise Unusable("previous_item_id: expected a message that is done: the agent has no other places")
        return after

    def _add_message(self, item_id: str, role: str, text: str, after: str | None) -> Iterator[Saying]:
        if role != "user" and not self.keeps_items:
            raise Unusable("item.role: expected user; this agent keeps no others")
        if role == "system" and not self.may_instruct:
            raise Unusable("item.role: expected user or assistant; this agent takes no instructions")
        kind = "output_text" if role == "assistant" else "input_text"
        yield_item = self._items.whole(message(item_id, role, {"type": kind, "text": text}, "completed"), after)
        if not self.keeps_items:
            self._held.append(text)
            return yield_item
        place = {} if after is None else {"after": self._items.name_of(after) or after}
        told = sized(to_agent("item", item=item_id, role=role, text=text, **place), "item")
        return self._kept(told, item_id, yield_item)

    def _kept(self, told: ToAgent, item_id: str, added: Iterator[Saying]) -> Iterator[Saying]:
        yield told
        yield from added
        self._items.name(item_id, item_id)

    def _add_output(self, item_id: str, call_id: str, output: str) -> Iterator[Saying]:
        if call_id not in self._calls:
            raise Unusable("item.call_id: expected that of a function that was called, and has no output yet")
        told = sized(to_agent("function_call_output", callId=call_id, output=output), "item.output")
        del self._calls[call_id]
        self._outputs.append(told)
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


def to_agent(kind: str, **members: Any) -> ToAgent:
    """A typed message."""
    return ToAgent(msgspec.json.encode({"type": kind, **members}).decode())


def sized(told: ToAgent, path: str) -> ToAgent:
    """The same, if agents take messages of that length. Raises ``Unusable``."""
    if len(told.text.encode()) > MAX_MESSAGE:
        raise Unusable(f"{path}: expected at most {MAX_MESSAGE} bytes")
    return told


def _text(content: object, kinds: tuple[str, ...]) -> str:
    if not isinstance(content, list) or not content:
        raise Unusable("item.content: expected a list with a text")
    return "\n".join(_part(part, kinds) for part in content)


def _part(part: object, kinds: tuple[str, ...]) -> str:
    match part:
        case {"type": str(kind), "text": str(text)} if kind in kinds:
            return text
        case {"type": "input_audio", "transcript": str(text), **rest} if "input_text" in kinds and not rest.get(
            "audio"
        ):
            return text  # as clients say again what was told them
    raise Unusable(f"item.content: expected {kinds[0]}; agents take no images, and sound as RTP")
