"""Tells the clients of long calls of newer ICE servers, before the credentials that they have expire."""

from collections.abc import Callable, Iterable
from typing import Final

import trio

from glottis.server.sessions.ice_servers import IceServerDesk
from glottis.server.sessions.session import Session
from glottis.signaling.session_request import WEBRTC

LONGEST_STEP: Final = 60.0
"""Seconds between looks at the sessions."""


async def renew_ice_servers(sessions: Callable[[], Iterable[Session]], desk: IceServerDesk, interval: float) -> None:
    """Until cancelled: each time that a session has lasted for another ``interval`` seconds."""
    looked_at = trio.current_time()
    while True:
        await trio.sleep(min(interval, LONGEST_STEP))
        now = trio.current_time()
        await _renew(sessions, desk, interval, looked_at, now)
        looked_at = now


async def _renew(
    sessions: Callable[[], Iterable[Session]], desk: IceServerDesk, interval: float, since: float, now: float
) -> None:
    """One look; it keeps no session alive after it."""
    for session in sessions():
        is_due = (now - session.created_at) // interval > (since - session.created_at) // interval
        if is_due and session.info.transport == WEBRTC:
            session.tell_ice_servers(await desk.ask(session.info))
