"""The places that connections take: how many there are, the share of each client, and who gives way to whom."""

from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec
import trio

from glottis.server.http.clients import client_key
from glottis.server.http.message import HttpLimits
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import TrustedProxies
from glottis.server.http.refusals import RefusalLog

KEPT_FOR_REQUESTS: Final = 8
"""One place of so many is for no WebSocket: whose WebSocket is lost comes back by a request."""
_RETRY_AFTER: Final = (("retry-after", "5"),)


class Stage(Enum):
    """What a connection is about."""

    LEAVING = "has had its last answer"
    HEAD = "has not sent a whole head"
    HANDSHAKE = "is a WebSocket that nobody has taken"
    IDLE = "had no further request"
    BODY = "has not sent a whole body"
    SERVED = "is being answered"
    WEBSOCKET = "is somebody's WebSocket"


GIVES_WAY: Final = (Stage.LEAVING, Stage.HEAD, Stage.HANDSHAKE, Stage.IDLE, Stage.BODY)
"""In these stages, those of the first one first; nobody gives way who is being served."""


class Place(msgspec.Struct, eq=False):
    """Of one connection. ``client`` is whose share it is in; None: in nobody's."""

    host: str
    client: str | None
    stage: Stage = Stage.HEAD
    scope: trio.CancelScope = msgspec.field(default_factory=trio.CancelScope)
    """Around all that the connection does: cancelled when it gives way."""
    discard: Callable[[], object] | None = None
    """Closes a connection about which nothing is done yet."""


class Share:
    """The connections of one client, or of all together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stages: dict[Stage, dict[Place, None]] = {stage: {} for stage in Stage}

    def __len__(self) -> int:
        return sum(map(len, self._stages.values()))

    def __contains__(self, place: Place) -> bool:
        return place in self._stages[place.stage]

    @property
    def is_full(self) -> bool:
        """Whether somebody has to give way to the next connection."""
        return len(self) >= self._limit

    @property
    def is_full_of_websockets(self) -> bool:
        """Whether no request may become one more, taken or not."""
        return len(self._stages[Stage.WEBSOCKET]) >= self._limit - self._limit // KEPT_FOR_REQUESTS

    def add(self, place: Place) -> None:
        """In its stage it is the newest."""
        self._stages[place.stage][place] = None

    def remove(self, place: Place) -> None:
        """It has to be there."""
        del self._stages[place.stage][place]

    def first_to_give_way(self) -> Place | None:
        """In the first of the stages that anybody is in, who has been in it for longest."""
        return next((place for stage in GIVES_WAY for place in self._stages[stage]), None)


class Places:
    """Of one server. Where one is refused, ``Problem`` 503 is raised, and who gives way is told to the log.

    The connections of a trusted proxy are in the share of the client whose request they bring, for as long as it takes.
    """

    def __init__(self, limits: HttpLimits, proxies: TrustedProxies, refusals: RefusalLog) -> None:
        self._limits = limits
        self._proxies = proxies
        self._refusals = refusals
        self._all = Share(limits.max_connections)
        self._shares: dict[str, Share] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, place: Place) -> bool:
        return place in self._all

    def enter(self, peer_host: str) -> Place:
        """A place for a new connection from this address; raises ``Problem`` if nobody gives way to it."""
        place = Place(peer_host, None)
        if not self._proxies.trusts(peer_host):
            self._join_share(place, peer_host)
        if self._all.is_full:
            self._make_room(self._all, place)
        self._add(place)
        return place

    def leave(self, place: Place) -> None:
        """The connection is closed."""
        if place in self._all:  # else it has given way
            self._remove(place)

    def move(self, place: Place, stage: Stage) -> None:
        """To another stage, where it is the newest."""
        if place in self._all:
            self._remove(place)
            place.stage = stage
            if stage is Stage.IDLE and self._proxies.trusts(place.host):
                place.client = None
            self._add(place)

    def serve(self, place: Place, client_host: str) -> None:
        """Its request, of this client, is to be served now; raises ``Problem`` if the client's share is used up."""
        if place in self._all and place.client is None:
            self._remove(place)
            try:
                self._join_share(place, client_host)
            finally:
                self._add(place)
        self.move(place, Stage.SERVED)

    def begin_websocket(self, place: Place) -> None:
        """It becomes a WebSocket that somebody may take; raises ``Problem`` if there are too many that are taken."""
        if self._all.is_full_of_websockets:
            raise self._too_many("WebSockets")
        if place.client is not None and self._share(place.client).is_full_of_websockets:
            raise self._too_many("WebSockets", place.client)
        self.move(place, Stage.HANDSHAKE)

    def _join_share(self, place: Place, host: str) -> None:
        client = client_key(host)
        share = self._share(client)
        if share.is_full:
            self._make_room(share, place, client)
        place.client = client

    def _make_room(self, share: Share, newcomer: Place, client: str | None = None) -> None:
        place = share.first_to_give_way()
        if place is None:
            raise self._too_many(client=client)
        line = f"a connection from {place.host} gave way to one from {newcomer.host}: it {place.stage.value}"
        self._refusals.note_line(line, place.host, trio.current_time())
        self._remove(place)
        place.scope.cancel()
        if place.discard is not None:
            place.discard()

    def _too_many(self, what: str = "connections", client: str | None = None) -> Problem:
        """Why one more is refused; says to the log what lets it in."""
        if client is None:
            limits, who = f"server.max_connections is {self._limits.max_connections}", "the gateway has"
        else:
            most = self._limits.max_connections_per_client
            limits = f"server.max_connections_per_client is {most}; if {client} is a proxy, it is none of the trusted"
            who = "your address has"
        detail = f"Close some, or try again later: {who} as many {what} as it may."
        return Problem(503, "TOO_MANY_CONNECTIONS", detail, _RETRY_AFTER, logged=f"too many {what}: {limits}")

    def _share(self, client: str) -> Share:
        return self._shares.get(client) or Share(self._limits.max_connections_per_client)

    def _add(self, place: Place) -> None:
        self._all.add(place)
        if place.client is not None:
            self._shares.setdefault(place.client, self._share(place.client)).add(place)

    def _remove(self, place: Place) -> None:
        self._all.remove(place)
        if place.client is not None:
            share = self._shares[place.client]
            share.remove(place)
            if not len(share):
                del self._shares[place.client]
