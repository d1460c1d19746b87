"""What has happened to a call, for its agent."""

from typing import Final

from glottis.calls.streams import DroppingStream
from glottis.contracts.events import CallEvent, StatisticsReported
from glottis.contracts.short_queue import ShortQueue

MAX_EVENTS: Final = 64


class EventStream(DroppingStream[CallEvent]):
    """Of statistics only the last wait: each counts from the beginning of the call, and they are the large ones."""

    def __init__(self) -> None:
        super().__init__(MAX_EVENTS)

    def push(self, item: CallEvent) -> None:
        """Append ``item``, in place of an older one where it replaces that or there is no room; wake the reader."""
        if isinstance(item, StatisticsReported):
            others: ShortQueue[CallEvent] = ShortQueue(
                waiting for waiting in self._items if not isinstance(waiting, StatisticsReported)
            )
            self.dropped += len(self._items) - len(others)
            self._items = others
        super().push(item)
