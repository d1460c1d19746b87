"""The queue before a gateway that has no room: who has come first is let in first. Time is an argument."""

from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from glottis.server.http.clients import client_key

ASK_AGAIN: Final = 2
"""Seconds after which who waits is to ask again."""
SHORTEST: Final = 1.0
"""Who asks after less counts as one who asks for another session, for the limit of a client."""
PATIENCE: Final = 15.0
"""Seconds for which a place is kept for who does not ask."""
TRYING: Final = 4
"""So many from the head of the queue may try at least: several calls may end at a time, the first may not ask soon, and
it may not be known how much room there is."""
SHARE: Final = 4
"""A client address has one of so many places at most."""


class Waiting(NamedTuple):
    """A place in the queue: 1 is the next. The ``ticket`` keeps it."""

    ticket: str
    place: int


class _Place(msgspec.Struct):
    client: str
    asked_at: float


class WaitingRoom:
    """Has ``places``; none where there is no queue. ``new_ticket`` makes what nobody can guess."""

    def __init__(self, places: int, new_ticket: Callable[[], str]) -> None:
        self.places = places
        self._new_ticket = new_ticket
        self._waiting: dict[str, _Place] = {}
        """By their tickets, the first first."""

    def __len__(self) -> int:
        return len(self._waiting)

    def is_due(self, ticket: str, now: float) -> bool:
        """Whether who has this ticket has waited before asking again, as was said."""
        self._forget(now)
        place = self._waiting.get(ticket)
        return place is not None and now - place.asked_at >= SHORTEST

    def may_try(self, ticket: str, room: int, now: float) -> bool:
        """Whether a session can be created for this ticket, or for who has none (an empty one).

        There is ``room`` for so many, as far as that is known. Each who waits has a part of it: else a queue would last
        as long as callers come, though what it was for is long over, or wanted by some of them alone.
        """
        self._forget(now)
        if ticket in self._waiting:
            return ticket in islice(self._waiting, max(TRYING, room))
        return not self._waiting or room > len(self._waiting)

    def wait(self, ticket: str, client_host: str, now: float) -> Waiting | None:
        """Keep the ticket's place, or give another, the last. None if there is no place for this client."""
        self._forget(now)
        place = self._waiting.get(ticket)
        if place is None:
            client = client_key(client_host)
            theirs = sum(other.client == client for other in self._waiting.values())
            if len(self._waiting) >= self.places or theirs >= max(1, self.places // SHARE):
                return None
            ticket = self._new_ticket()
            place = self._waiting[ticket] = _Place(client, now)
        place.asked_at = now
        return Waiting(ticket, list(self._waiting).index(ticket) + 1)

    def leave(self, ticket: str) -> None:
        """Who has it waits no more."""
        self._waiting.pop(ticket, None)

    def _forget(self, now: float) -> None:
        """Those who have not asked for long: they have gone."""
        gone = [ticket for ticket, place in self._waiting.items() if now - place.asked_at > PATIENCE]
        for ticket in gone:
            del self._waiting[ticket]
