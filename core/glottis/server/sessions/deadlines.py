"""The deadlines of all sessions, which one task keeps: those that come at one moment do not stop the event loop."""

import logging
from typing import Final, Protocol

import trio

from glottis.barrier import stop
from glottis.calls.streams import Wakeup
from glottis.contracts.timeouts import Timeouts
from glottis.plugins.failures import log_failure
from glottis.server.http.turns import Turns

logger: Final = logging.getLogger(__name__)


class Expiring(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """Its time is over."""


class Deadlines:
    """Each is told of its end in its turn. A cancel scope for each would wake all that are due in one go."""

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self._timeouts: Timeouts[Expiring] = Timeouts()
        self._changed = Wakeup()

    def set(self, holder: Expiring, moment: float) -> None:
        """Replace its deadline, in the event loop's seconds."""
        self._timeouts.set(holder, moment)
        self._changed.wake()

    def lift(self, holder: Expiring) -> None:
        """It has none any more."""
        self._timeouts.discard(holder)

    async def run(self) -> None:
        """Keep them until cancelled."""
        while True:
            with trio.move_on_at(self._timeouts.next_moment()):
                await self._changed.wait()
            while (holder := self._timeouts.pop_due(trio.current_time())) is not None:
                async with self._turns:
                    _expire(holder)
                del holder  # which is not to be kept alive while others are waited for


def _expire(holder: Expiring) -> None:
    try:
        holder.expire()
    except BaseException as error:
        stop(error, lambda failure: log_failure(logger, failure, "a session could not expire"))
