"""Who is to be called when: of many moments, most are replaced or forgotten before they come."""

import heapq
import math
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Timeouts(Generic[T]):
    """At most one moment, in monotonic seconds, for each holder."""

    def __init__(self) -> None:
        self._moments: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        """Moments in force, and some that have been replaced."""
        self._order = count()

    def __len__(self) -> int:
        return len(self._moments)

    def set(self, holder: T, moment: float) -> None:
        """Replace the holder's moment."""
        if self._moments.get(holder) != moment:
            self._moments[holder] = moment
            heapq.heappush(self._heap, (moment, next(self._order), holder))
            self._sweep()

    def discard(self, holder: T) -> None:
        """Forget the holder."""
        self._moments.pop(holder, None)
        self._sweep()

    def next_moment(self) -> float:
        """The earliest; infinity if there is none."""
        heap, moments = self._heap, self._moments
        while heap and moments.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def pop_due(self, now: float) -> T | None:
        """The holder whose moment has come first, which has none then; None if none has come."""
        if self.next_moment() > now:
            return None
        _, _, holder = heapq.heappop(self._heap)
        del self._moments[holder]
        return holder

    def _sweep(self) -> None:
        """Drop replaced moments when they are the majority: they would keep their holders in memory, and pile up."""
        if len(self._heap) > 2 * len(self._moments):
            self._heap[:] = [(moment, next(self._order), holder) for holder, moment in self._moments.items()]
            heapq.heapify(self._heap)
