"""A call in which nobody says anything any more: hung up on, where the configuration has a limit for it."""

import math
from collections.abc import Callable
from typing import Final

import trio

from glottis.audio import level_dbfs
from glottis.contracts.audio import AudioFrame, EncodedPacket, FrameTap
from glottis.rtp import Taps
from glottis.server.sessions.deadlines import Deadlines

LOUD: Final = -38.0
"""dBov from which on a frame is heard as a sound: speech has about -26, comfort noise in its pauses -40 at most."""
LOOKED_AT: Final = 5
"""Of so many frames one: no word is shorter than 100 ms, and a limit has seconds."""


class SilenceLimit:
    """What agent and caller say puts it off, and what the caller writes or presses.

    ``over`` is told the reason when there was nothing of it for ``seconds``. It listens by ``taps``, in front of those
    that are there, and only where there is a limit. A packet that goes out as it came counts as a word, unless its
    sender says that it is none (RFC 6464).
    """

    __slots__ = ("_deadlines", "_last", "_over", "_seconds")

    def __init__(self, seconds: float, taps: Taps, deadlines: Deadlines, over: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._deadlines = deadlines
        self._over = over
        self._last = math.inf
        """When somebody said something last; before media flows nobody can."""
        if seconds < math.inf:
            taps.heard, taps.spoken = self._listen(taps.heard), self._listen(taps.spoken)
            taps.relayed = self._look_at
            taps.pressed = self.note

    def begin(self) -> None:
        """Media flows."""
        if self._seconds < math.inf:
            self.note()
            self._deadlines.set(self, self._last + self._seconds)

    def note(self) -> None:
        """Somebody has said something, in whichever way."""
        self._last = trio.current_time()

    def lift(self) -> None:
        """The call has ended."""
        self._deadlines.lift(self)

    def expire(self) -> None:
        """See ``Expiring``: so much is over since the call began, or since the last look."""
        end = self._last + self._seconds
        if end > trio.current_time():
            self._deadlines.set(self, end)
        else:
            self._over(f"nobody has said anything for {self._seconds:g} s")

    def _listen(self, tap: FrameTap | None) -> FrameTap:
        frames = 0

        def listen(frame: AudioFrame) -> AudioFrame:
            nonlocal frames
            if frames % LOOKED_AT == 0 and level_dbfs(frame) > LOUD:
                self.note()
            frames += 1
            return frame if tap is None else tap(frame)

        return listen

    def _look_at(self, packet: EncodedPacket) -> None:
        if packet.audio_level is None or -packet.audio_level > LOUD:
            self.note()
