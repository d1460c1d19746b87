"""The places that streams take: how many there are, the share of each client, and who gives way to whom."""

from collections.abc import Callable
from typing import Final

import msgspec
import trio

from glottis.wire.address import ip_of

MAX_STREAMS: Final = 2048
"""At a time, twice as many as there are sessions by default; further ones are closed at once."""
MAX_STREAMS_PER_CLIENT: Final = 256
"""Of one IPv4 address or /64 of IPv6, which can be a whole office."""
MAX_UNPROVEN: Final = 256
"""Of those who have not proved yet that they belong to a call: beyond, the oldest of them gives way."""
MAX_UNPROVEN_PER_CLIENT: Final = 32


class Place(msgspec.Struct, eq=False):
    """Of one stream. ``is_proven`` says whether a call uses it."""

    share: bytes
    is_proven: Callable[[], bool]
    scope: trio.CancelScope = msgspec.field(default_factory=trio.CancelScope)
    """Around all that the stream does: cancelled when it gives way, or its time is over."""
    gave_way: bool = False


class StreamPlaces:
    """Of all streams."""

    def __init__(self) -> None:
        self._places: dict[Place, None] = {}
        self._unproven: dict[Place, None] = {}
        """The oldest first, some of whom may have proved it since."""
        self._shares: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def take(self, host: str, is_proven: Callable[[], bool]) -> Place | None:
        """One for a new stream from ``host``, to which an older one may give way. None: there is none left."""
        share = _share_of(host)
        if len(self._places) >= MAX_STREAMS or self._shares.get(share, 0) >= MAX_STREAMS_PER_CLIENT:
            return None
        if len(self._unproven) >= MAX_UNPROVEN_PER_CLIENT:  # else nobody can have so many
            self._make_room(share)
        place = Place(share, is_proven)
        self._places[place] = self._unproven[place] = None
        self._shares[share] = self._shares.get(share, 0) + 1
        return place

    def has_proven(self, place: Place) -> bool:
        """Look at one; if it has proved that it belongs to a call, it does not give way any more."""
        if place.is_proven():
            self._unproven.pop(place, None)
        return place not in self._unproven and not place.gave_way

    def leave(self, place: Place) -> None:
        """The stream has ended."""
        self._unproven.pop(place, None)
        del self._places[place]
        self._shares[place.share] -= 1
        if not self._shares[place.share]:
            del self._shares[place.share]

    def _make_room(self, share: bytes) -> None:
        """Bounded by ``MAX_UNPROVEN``."""
        waiting = [place for place in list(self._unproven) if not self.has_proven(place)]
        of_client = [place for place in waiting if place.share == share]
        if len(of_client) >= MAX_UNPROVEN_PER_CLIENT:
            self._give_up(of_client[0])
        elif len(waiting) >= MAX_UNPROVEN:
            self._give_up(waiting[0])

    def _give_up(self, place: Place) -> None:
        del self._unproven[place]
        place.gave_way = True
        place.scope.cancel()


def _share_of(host: str) -> bytes:
    """An IPv4 address, or an IPv6 network of 64 bits, which is one household."""
    ip = ip_of(host.partition("%")[0])
    return host.encode() if ip is None else ip.packed[:8]
