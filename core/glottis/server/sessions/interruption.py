"""Silence before a client that is gone (CONTRACT §3): it has lost its socket and sends no media, or media failed."""

import math
from collections.abc import Callable

from glottis.calls.leg import Leg
from glottis.contracts.events import CallEvent, Interrupted, Resumed
from glottis.server.sessions.line import ClientLine


class Interruption:
    """``tell`` is given the event, ``silence`` is how many seconds a client may be silent."""

    __slots__ = ("_back_at", "_has_media", "_is_on", "_leg", "_line", "_silence", "_tell")

    def __init__(self, line: ClientLine, leg: Leg, *, silence: float, tell: Callable[[CallEvent], None]) -> None:
        self._line = line
        self._leg = leg
        self._silence = silence
        self._tell = tell
        self._is_on = False
        self._has_media = True
        self._back_at = -math.inf
        """When the client came back by a socket."""

    def check(self, now: float) -> None:
        """In each media tick: is there still somebody to speak to?"""
        if not self._has_media or (self._line.is_up and not self._is_on):
            return
        latest = now - self._silence
        if self._line.is_up:
            # Speech waits for a way to where the client is now, perhaps on another network; but neither for ever, nor
            # for its media: Chromium sends none by a new path for a second, though the path is there.
            self._set(self._back_at > latest and not self._leg.reached_since(self._back_at))
        else:
            self._set(self._line.lost_at <= latest and not self._leg.heard_since(latest))

    def client_is_back(self, now: float) -> None:
        """The client has a socket again: nothing that was said is lost."""
        self._back_at = now

    def media_lost(self) -> None:
        """Nothing reaches the client until there is another way."""
        self._has_media = False
        self._set(True)

    def media_is_back(self) -> None:
        """There is a way."""
        if not self._has_media:
            self._has_media = True
            self._set(not self._line.is_up)

    def _set(self, is_on: bool) -> None:
        if is_on is not self._is_on:
            self._is_on = is_on
            self._leg.hold_speech(is_on)
            self._tell(Interrupted() if is_on else Resumed())
