"""Looks at the load of a gateway, and does to its calls what ``LoadControl`` decides."""

import logging
from collections.abc import Callable
from typing import Final

import trio

from glottis.media.scheduler import Scheduler
from glottis.server.runtime.load import LoadMeter
from glottis.server.runtime.load_control import LoadControl
from glottis.server.sessions.sessions import Sessions

logger = logging.getLogger(__name__)

PERIOD: Final = 0.5
"""Seconds between looks: some hundred turns of the wheel, which even out what single calls need."""

MAX_DELAY: Final = 1.0
"""Seconds in line for one step; a session takes five, and seven where it goes to another worker. The steps of
as many connections as one client may have are shorter together."""


class Relief:
    """Has ``sessions`` refuse new ones, and all of them encode, as ``control`` says.

    They are refused as well where each step of what is asked for stands in line so long (``delay``, in seconds) that
    who asks would have given up before the last one.
    """

    def __init__(
        self, scheduler: Scheduler, sessions: Sessions, control: LoadControl, delay: Callable[[], float]
    ) -> None:
        self.control = control
        self._delay = delay
        self._meter = LoadMeter(scheduler, trio.current_time())
        self._sessions = sessions
        self._seen = 0
        """Sessions at the last look."""
        sessions.is_overloaded = self._is_overloaded

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await trio.sleep(PERIOD)
            self._look(trio.current_time())

    def _look(self, now: float) -> None:
        control = self.control
        before = control.level
        talking, coming = self._sessions.census(now)
        self._seen = len(self._sessions)
        control.update(self._meter.take(now), talking=talking, coming=coming, now=now)
        if control.level != before:  # a few times a minute at most, see ``PATIENCE``
            self._sessions.set_complexity(control.level)
            logger.info(
                "%s: complexity %s from %d to %d",
                control.cause,
                "lowered" if control.level < before else "raised",
                before,
                control.level,
            )

    def _is_overloaded(self) -> bool:
        is_hopeless = self.control.max_load < 1 and self._delay() > MAX_DELAY
        return is_hopeless or self.control.refuses(len(self._sessions) - self._seen)
