"""Silence before a client that is gone (CONTRACT §3): its socket is lost, and none of its media comes."""

from collections.abc import Callable

from glottis.calls.leg import Leg
from glottis.contracts.events import CallEvent, Interrupted, Resumed
from glottis.server.sessions.line import ClientLine


class Interruption:
    """``tell`` is given the event, ``silence`` is how many seconds a client may be silent."""

    def __init__(self, line: ClientLine, leg: Leg, *, silence: float, tell: Callable[[CallEvent], None]) -> None:
        self._line = line
        self._leg = leg
        self._silence = silence
        self._tell = tell
        self._is_on = False

    def check(self, now: float) -> None:
        """In each media tick: is there still somebody to speak to?"""
        if not self._line.is_up:
            latest = now - self._silence
            self._set(self._line.lost_at <= latest and not self._leg.heard_since(latest))

    def end(self) -> None:
        """The client has a socket again: nothing that was said is lost."""
        self._set(False)

    def _set(self, is_on: bool) -> None:
        if is_on is not self._is_on:
            self._is_on = is_on
            self._leg.hold_speech(is_on)
            self._tell(Interrupted() if is_on else Resumed())
