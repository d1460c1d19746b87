"""What a client may send by WebSocket, and how fast: offers are counted, and text waits for its reader."""

from collections.abc import Callable
from typing import Final

import trio

from glottis.calls.conversation import Backlog
from glottis.calls.streams import Wakeup
from glottis.contracts.call import TextMessage
from glottis.contracts.errors import RemoteError
from glottis.wire.token_bucket import TokenBucket

OFFERS_PER_MINUTE: Final = 30
OFFER_BURST: Final = 10
"""Offers of one client that are answered; to answer one takes a millisecond of everybody's time."""


class TooManyOffers(RemoteError):
    """Renegotiations in a flood."""

    code = "TOO_MANY_OFFERS"


class TooManyMessages(RemoteError):
    """Text that there is no more room for."""

    code = "TOO_MANY_MESSAGES"


class OfferLimit:
    """A token bucket for the offers of one session."""

    def __init__(self, now: float) -> None:
        self._bucket = TokenBucket(OFFERS_PER_MINUTE / 60, OFFER_BURST, now)

    def count(self, now: float) -> None:
        """Count an offer; raises ``TooManyOffers`` if it is not to be looked at."""
        if self._bucket.take(now):
            raise TooManyOffers(f"the offer was dropped: make {OFFERS_PER_MINUTE} in a minute at most")


class TextGate:
    """Text is lost only to an agent that never reads any; else its sender waits, ``patience`` seconds, or is told."""

    def __init__(self, inbox: Backlog, patience: float) -> None:
        self._inbox = inbox
        self._patience = patience
        self._changed = Wakeup()
        self._is_late = False
        """The agent has not caught up within the patience, nor since then."""

    def check_room(self, text: str, *, started: bool) -> None:
        """Before a text is taken; raises ``TooManyMessages``. ``started`` says whether the agent could have read."""
        if (self._inbox.is_read or not started) and not self._inbox.has_room_for(TextMessage(text)):
            raise TooManyMessages("the agent has not read what came before: this text was dropped, send it later")

    async def wait(self, is_concerned: Callable[[], bool]) -> None:
        """After a text: wait, but not for long, while the agent is behind. TCP holds the client back meanwhile.

        ``is_concerned`` says whether there still is someone to be held back; ``release`` has it asked again.
        """
        with trio.move_on_after(self._patience) as patience:
            while is_concerned() and self._inbox.is_behind and not self._is_late:
                await self._changed.wait()
        self._is_late = self._is_late or patience.cancelled_caught

    def release(self) -> None:
        """Something may have changed for those who wait."""
        self._changed.wake()

    def open(self) -> None:
        """The agent has caught up."""
        self._is_late = False
        self._changed.wake()
