"""Tells the clients of long calls of newer ICE servers, before the credentials that they have expire."""

from collections.abc import Callable, Iterable
from typing import Final

import trio

from glottis.contracts.clock import WallClock, wall_clock
from glottis.server.sessions.ice_servers import IceServerDesk
from glottis.server.sessions.session import Session
from glottis.signaling.session_request import WEBRTC

LONGEST_STEP: Final = 60.0
"""Seconds between looks at the sessions."""


async def renew_ice_servers(
    sessions: Callable[[], Iterable[Session]], desk: IceServerDesk, interval: float, clock: WallClock = wall_clock
) -> None:
    """Until cancelled: each time that a session has lasted for another ``interval`` seconds, and when the clock is set.

    To their server, credentials that are good for a day and were made in 1970 have expired long ago.
    """
    looked_at = trio.current_time()
    was_set = clock.is_set()
    while True:
        await trio.sleep(min(interval, LONGEST_STEP))
        now = trio.current_time()
        was_set, is_news = clock.is_set(), clock.is_set() and not was_set
        for session in sessions():  # which keeps none alive after it
            is_due = (now - session.created_at) // interval > (looked_at - session.created_at) // interval
            if (is_due or is_news) and session.info.transport == WEBRTC:
                session.tell_ice_servers(await desk.ask(session.info))
        looked_at = now
