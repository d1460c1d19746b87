"""The way in to a gateway: who may ask for a session, and who waits for one."""

import re
from collections.abc import Callable
from typing import Final, Protocol

import trio

from glottis.server.http.entry import Entry
from glottis.server.http.message import Request
from glottis.server.http.rate_limit import Limiter
from glottis.server.sessions.waiting_room import Waiting, WaitingRoom

_TICKET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def ticket_of(request: Request) -> str:
    """That of who waits; empty for a newcomer, or where it cannot be one."""
    ticket = request.query.get("ticket", "")
    return ticket if _TICKET.fullmatch(ticket) else ""


class Entrance(Protocol):
    """One for all processes that are the same gateway."""

    async def enter(self, request: Request) -> Entry:
        """Count the request, unless who waits was told to ask again, and say whether it may be tried now."""

    async def wait(self, ticket: str, client_host: str) -> Waiting | None:
        """See ``WaitingRoom``."""

    def leave(self, ticket: str) -> None:
        """See ``WaitingRoom``."""


class OwnEntrance:
    """Of one process alone. ``room`` says how many more sessions there may be, as far as that is known."""

    def __init__(self, waiting_room: WaitingRoom, limiter: Limiter, room: Callable[[], int]) -> None:
        self._waiting_room = waiting_room
        self._limiter = limiter
        self._room = room

    async def enter(self, request: Request) -> Entry:
        """See ``Entrance``."""
        ticket, now = ticket_of(request), trio.current_time()
        seconds = 0.0
        if not self._waiting_room.is_due(ticket, now):
            seconds = await self._limiter.ask(request.client_host, now)
        return Entry(seconds, self._waiting_room.may_try(ticket, self._room(), now))

    async def wait(self, ticket: str, client_host: str) -> Waiting | None:
        """See ``Entrance``."""
        return self._waiting_room.wait(ticket, client_host, trio.current_time())

    def leave(self, ticket: str) -> None:
        """See ``Entrance``."""
        self._waiting_room.leave(ticket)
