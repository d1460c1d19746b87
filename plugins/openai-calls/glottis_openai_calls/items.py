"""The items of a conversation, as far as clients are told of them."""

from collections.abc import Iterator
from typing import Any

from glottis import Saying

from glottis_openai_calls.events import Events


class Items:
    """Each is told once that it was added, and once that it is done, with the one before it."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._last: str | None = None

    @property
    def last(self) -> str | None:
        """The id of the one that was added last."""
        return self._last

    def added(self, item: dict[str, Any]) -> Iterator[Saying]:
        """It takes its place."""
        yield self._events.make("conversation.item.added", item=item, previous_item_id=self._last)
        self._last = item["id"]

    def whole(self, item: dict[str, Any]) -> Iterator[Saying]:
        """It is added, and done."""
        before = self._last
        yield from self.added(item)
        yield self._events.make("conversation.item.done", item=item, previous_item_id=before)


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
