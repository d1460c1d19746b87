"""From the sockets to the sessions: who sends little is served at once, who sends much waits for its turn.

This is fair queueing as in RFC 8290: the sockets are emptied whatever anybody sends, and what one session sends costs
the others neither a packet nor more than ``TURN_TIME``. Costs are measured, for they differ a hundredfold.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from glottis.media.demultiplexer import Arrival, Demultiplexer, Destination

TURN_TIME: Final = 0.002
"""Seconds in a row that datagrams are read and served, for each slot of a turn, before other tasks and the media slots
get their turn."""
SHARE_PERIOD: Final = 0.004
"""Seconds for which a share is; turns of the wheel are a little further apart."""
SHARE: Final = 0.0005
"""Seconds that each session is served at once: what it sends beyond waits until all have had theirs."""
MAX_WAITING: Final = 128
"""Datagrams of one session; further ones are dropped. A data channel's whole window may come at once."""
PLACES: Final = 4096
"""Divided by the number of those that wait, this is what each of them may have, if it is less."""


class FairQueue:
    """What was read goes in by ``take``. ``clock`` tells seconds of real time."""

    def __init__(self, demultiplexer: Demultiplexer, clock: Callable[[], float] = time.perf_counter) -> None:
        self._demultiplexer = demultiplexer
        self._clock = clock
        self._now = self._began = self._turn_ends = clock()
        self._used: dict[object, float] = {}
        """Seconds of this period, by ``Destination.flow``."""
        self._served: object = None
        """Whose datagram is in work; no one's if that has ended the session."""
        self._waiting: OrderedDict[object, deque[tuple[bytes, Destination]]] = OrderedDict()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    @property
    def has_time(self) -> bool:
        """Whether this turn is not over."""
        return self._now < self._turn_ends

    def begin_turn(self, slots: int = 1) -> None:
        """Time is counted from here, for as many slots as are read at once."""
        self._now = self._clock()
        self._turn_ends = self._now + slots * TURN_TIME
        if self._now - self._began >= SHARE_PERIOD:
            self._began = self._now
            self._used.clear()

    def take(self, data: bytes, arrival: Arrival) -> bool:
        """Serve a datagram, keep it until there is time for it, or drop it. Says whether the turn has time for more."""
        destination = self._demultiplexer.find(data, arrival)
        if destination is None:
            now = self._clock()
        else:
            receiver, path, flow = destination
            used = self._used.get(flow, 0.0)
            if flow is None:  # what was relayed comes back here, and is its session's to pay for
                receiver.receive(data, path)
                now = self._clock()
            elif used >= SHARE or (self._waiting and flow in self._waiting):
                self._keep(data, destination)
                now = self._clock()
            else:
                self._served = flow
                receiver.receive(data, path)
                now = self._clock()
                if self._served is flow:  # else this has ended the session
                    self._used[flow] = used + now - self._now
        self._now = now
        return now < self._turn_ends

    def serve_waiting(self) -> None:
        """One datagram of each session that has some, over and over, while there is time."""
        while self._waiting and self.has_time:
            flow, datagrams = self._waiting.popitem(last=False)
            data, destination = datagrams.popleft()
            if datagrams:
                self._waiting[flow] = datagrams
            destination.receiver.receive(data, destination.path)
            self._now = self._clock()

    def forget(self, flow: object) -> None:
        """A session has ended: drop what waits of it, and hold nothing of it until the next datagram comes."""
        if flow is self._served:
            self._served = None
        self._used.pop(flow, None)
        self._waiting.pop(flow, None)

    def _keep(self, data: bytes, destination: Destination) -> None:
        datagrams = self._waiting.setdefault(destination.flow, deque())
        if len(datagrams) < min(MAX_WAITING, 1 + PLACES // len(self._waiting)):
            datagrams.append((data, destination))
        else:
            self._demultiplexer.refuse(destination)
