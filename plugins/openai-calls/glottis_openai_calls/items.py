"""The items of a conversation, as far as clients are told of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from glottis import Saying

from glottis_openai_calls.events import Events

MAX_ITEMS: Final = 256
MAX_ITEMS_BYTES: Final = 512 * 1024
"""Of those that can be retrieved: beyond either the oldest are forgotten."""
FIRST: Final = "root"
"""Stands for what is before all items."""


@dataclass(slots=True)
class _Kept:
    item: dict[str, Any]
    size: int
    name: str | None = None
    """By which the agent knows it."""


class Items:
    """Each is told once that it was added, and once that it is done, with the one before it."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._kept: dict[str, _Kept] = {}
        self._order: list[str] = []
        self._size = 0

    @property
    def last(self) -> str | None:
        """The id of the last one."""
        return self._order[-1] if self._order else None

    def find(self, item_id: object) -> dict[str, Any] | None:
        """The one with this id, if it is known."""
        kept = self._kept.get(item_id) if isinstance(item_id, str) else None
        return kept.item if kept is not None else None

    def name_of(self, item_id: str) -> str | None:
        """By which the agent knows it; None if it does not."""
        return self._kept[item_id].name if item_id in self._kept else None

    def name(self, item_id: str, name: object) -> None:
        """The agent has said by which."""
        if item_id in self._kept and isinstance(name, str):
            self._kept[item_id].name = name

    def added(self, item: dict[str, Any], after: str | None = None) -> Iterator[Saying]:
        """It takes its place, at the end or behind another one."""
        before = self._before(after)
        place = 0 if before is None else self._order.index(before) + 1
        self._order.insert(place, item["id"])
        self.keep(item)
        yield self._events.make("conversation.item.added", item=item, previous_item_id=before)

    def done(self, item: dict[str, Any], before: str | None) -> Iterator[Saying]:
        """It is as it will be."""
        if item["id"] in self._kept:
            self.keep(item)
        yield self._events.make("conversation.item.done", item=item, previous_item_id=before)

    def whole(self, item: dict[str, Any], after: str | None = None) -> Iterator[Saying]:
        """It is added, and done."""
        before = self._before(after)
        yield from self.added(item, after)
        yield from self.done(item, before)

    def delete(self, item_id: str) -> None:
        """It was never there."""
        self._size -= self._kept.pop(item_id).size
        self._order.remove(item_id)

    def _before(self, after: str | None) -> str | None:
        return self.last if after is None else None if after == FIRST else after

    def keep(self, item: dict[str, Any]) -> None:
        """As it is now."""
        before = self._kept.get(item["id"])
        kept = self._kept[item["id"]] = _Kept(item, len(msgspec.json.encode(item)), before.name if before else None)
        self._size += kept.size - (before.size if before else 0)
        while len(self._order) > MAX_ITEMS or (self._size > MAX_ITEMS_BYTES and len(self._order) > 1):
            self.delete(self._order[0])


def message(item_id: str, role: str, content: dict[str, Any] | None, status: str) -> dict[str, Any]:
    """What somebody has said or written."""
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "role": role,
        "status": status,
        "content": [] if content is None else [content],
    }


def text_of(item: dict[str, Any]) -> str:
    """Of a message, what was said or written."""
    parts = item.get("content") or []
    return "\n".join(part.get("text") or part.get("transcript") or "" for part in parts)
