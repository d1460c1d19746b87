"""A bad network between a caller's driver and its endpoint, on trio's time, virtual or not."""

import heapq
from collections.abc import Callable
from itertools import count

import trio
from glottis.lab.models import Carrier, is_media
from glottis.media.demultiplexer import Receiver
from glottis.media.driver import Endpoint
from glottis.media.link import Sender
from glottis.wire.address import Datagram, Path


class Line:
    """Carries what the caller sends by one ``Carrier``, and what it gets by another. ``run`` delivers what is late."""

    def __init__(self, up: Carrier, down: Carrier) -> None:
        self.media_bytes_down = 0
        """Of RTP datagrams that the other end has sent since media began, whether they arrive or not."""
        self._up, self._down = up, down
        self._began = False
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._changed = trio.Event()

    def begin(self) -> None:
        """Media begins, and with it what the network does."""
        self._began = True
        self._up.begin(trio.current_time())
        self._down.begin(trio.current_time())

    def carry_up(self, data: bytes, deliver: Callable[[], None]) -> None:
        """From the caller."""
        self._carry(self._up, data, deliver)

    def carry_down(self, data: bytes, deliver: Callable[[], None]) -> None:
        """To the caller."""
        if self._began and is_media(data):
            self.media_bytes_down += len(data)
        self._carry(self._down, data, deliver)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed = trio.Event()
            deadline = self._waiting[0][0] if self._waiting else float("inf")
            with trio.move_on_at(deadline):
                await self._changed.wait()
            while self._waiting and self._waiting[0][0] <= trio.current_time():
                heapq.heappop(self._waiting)[2]()

    def _carry(self, carrier: Carrier, data: bytes, deliver: Callable[[], None]) -> None:
        now = trio.current_time()
        for arrival in carrier.arrivals(data, now):
            if arrival <= now:
                deliver()
            else:
                heapq.heappush(self._waiting, (arrival, next(self._order), deliver))
                self._changed.set()


class EndpointOnLine:
    """What the caller's driver has of its endpoint: what it sends goes by the line."""

    def __init__(self, endpoint: Endpoint, line: Line) -> None:
        self._endpoint = endpoint
        self._line = line

    def remove_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        """See ``driver.Endpoint``."""
        self._endpoint.remove_ufrag(ufrag, receiver)

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None:
        self._endpoint.add_ufrag(ufrag, receiver)

    def add_path(self, path: Path, receiver: Receiver, *, proven: bool, in_use: bool) -> None:
        self._endpoint.add_path(path, receiver, proven=proven, in_use=in_use)

    def remove_path(self, path: Path, receiver: Receiver) -> None:
        self._endpoint.remove_path(path, receiver)

    def remove(self, receiver: Receiver) -> None:
        self._endpoint.remove(receiver)

    def send(self, datagram: Datagram, sender: Sender) -> None:
        self._line.carry_up(datagram.data, lambda: self._endpoint.send(datagram, sender))
