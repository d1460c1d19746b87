"""The delay that the path asks for now: learnt from how late packets are, kept by stretching and compressing speech.

The delay of playout is how much later than the fastest of the last packets one may be, and still be heard in its place.
The target is what all but a few of them would have needed (as in NetEQ), over some seconds; packets that were held up
together count once, so that a spike is forgotten as soon as it is over, unless there are more of them. Where packets
are lost, and the next ones hold their audio, the target is what that takes. Where nothing has come in time playout
stands still, within a limit, and what comes is heard late: so the delay follows a spike at once. It goes back in the
next pause, and only for want of one by leaving out pitch periods of speech.
"""

import math
from array import array
from bisect import bisect_left
from typing import Final

from glottis.contracts.audio import FRAME_SECONDS
from glottis.rtp.delay import DEFAULT_TARGET_DELAY, FixedDelay

PROBATION: Final = 2.0
"""Seconds from the first start of playout for which the delay is no shorter than a fixed one would be."""
WINDOW: Final = 6.0
"""Seconds of arrivals that the target is made of."""
MOST_ARRIVALS: Final = 256
"""The same in packets, so that a flood costs no more."""
BATCH: Final = 25
"""Packets that took as long as those before, after which the target is set anew: they cannot make it longer."""
TOGETHER: Final = 0.003
"""Seconds between arrivals of packets that were held up by one thing."""
RECENT: Final = 8
"""Of the last lost packets that could be recovered, and of the last spikes, all but one are waited for ..."""
MEMORY: Final = 10.0
"""... that are no longer ago than so many seconds: one alone may be the last, too."""
SPIKE: Final = 0.02
"""Seconds beyond what all but a few packets need."""
CUSHION: Final = 0.005
"""Seconds beyond what was needed: turns of the wheel are not punctual either."""
TOO_SHORT: Final = -0.002
JUST_LESS: Final = 0.001
"""Seconds off its target that the delay may be, and those less than a frame. It moves by whole frames: what is needed
is needed at a tick."""
PAUSE: Final = 0.1
"""Seconds of quiet frames in a row after which it is a pause: in shorter ones, between sounds and words, a change is
heard."""
PATIENCE: Final = 6.0
"""Seconds for which a pause is waited for, so that no speech need be touched ..."""
FAR: Final = 0.06
FAR_PATIENCE: Final = 4.0
"""... and the same where the delay is so many seconds off."""
REST: Final = 0.04
"""Seconds of speech after a frame that was made longer or shorter that are left as they are: with a sixth more or less
in a second it sounds as it should."""
ANOTHER_TIMELINE: Final = 1.0
"""Seconds by which no packet is late, or early, of the stream that was measured so far."""
CUT: Final = 0.2
"""Seconds beyond the target that are cut, for it would take too long to compress them: an outage has ended."""


class AdaptiveDelay(FixedDelay):
    """From ``minimum`` to ``maximum`` seconds; ``lateness`` is the share (0–1) of packets that may come too late.

    ``frame_seconds`` is how long frames are, and by what the delay moves.
    """

    __slots__ = (
        "_arrivals",
        "_fastest",
        "_floor",
        "_frame_seconds",
        "_last_arrival",
        "_lateness",
        "_losses",
        "_maximum",
        "_minimum",
        "_off_since",
        "_pause",
        "_proven_at",
        "_quiet_frames",
        "_rest",
        "_rests",
        "_slowest",
        "_spikes",
        "_stretches",
        "_too_long",
        "_transits",
        "_waiting",
    )

    adapts = True

    def __init__(
        self,
        minimum: float = 0.005,
        maximum: float = 0.5,
        lateness: float = 0.02,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        self._frame_seconds = frame_seconds
        self._too_long = frame_seconds - JUST_LESS
        self._pause = round(PAUSE / frame_seconds)
        """The quiet frames of one."""
        self._rest = round(REST / frame_seconds)
        self._minimum = minimum
        self._maximum = max(minimum, maximum)
        super().__init__(self._whole_frames(DEFAULT_TARGET_DELAY))
        self._floor, self._proven_at = self.target, math.inf
        """Of the target, until the path has proven to be good enough for less."""
        self._lateness = lateness
        self._arrivals = array("d")
        self._transits = array("d")
        """When packets came, and how long they took, on clocks that need not agree."""
        self._fastest = math.inf
        """What that was at least."""
        self._waiting = 0
        """Packets that came since the target was set."""
        self._off_since = math.inf
        """Since when the delay is not as it should be."""
        self._last_arrival = -TOGETHER
        self._losses: list[tuple[float, float]] = []
        """The same as arrivals, of lost packets."""
        self._spikes: list[tuple[float, float]] = []
        """The same of what was held up far longer than others are."""
        self._slowest = 0.0
        """How long all have taken but those few that may come too late."""
        self._rests = 0
        """Frames that are still to be left as they are."""
        self._stretches = False
        self._quiet_frames = 0

    @property
    def settings(self) -> tuple[float, float, float]:
        """What it was made with: least and most, in seconds, and the share that may come too late."""
        return self._minimum, self._maximum, self._lateness

    def restarted(self) -> None:
        """See ``DelayPolicy.restarted``: how late a packet is shows only among those of its own timeline."""
        self._forget()

    def started(self, depth: int, now: float) -> None:
        """How late packets were before tells of another time, and of an outage at worst."""
        super().started(depth, now)
        self._forget()
        if self._proven_at < math.inf:
            self.target = self._minimum
        else:
            self._proven_at = now + PROBATION

    def measured(self, transit: float, now: float) -> None:
        """See ``DelayPolicy.measured``."""
        since, self._last_arrival = now - self._last_arrival, now
        fastest = self._fastest
        is_usual = fastest <= transit <= self._slowest
        if not is_usual and abs(transit - fastest) > ANOTHER_TIMELINE:
            self._forget()
        elif since < TOGETHER and transit >= fastest:
            return
        elif not is_usual and transit > self._slowest + SPIKE:
            _note(self._spikes, transit, now)
        self._arrivals.append(now)
        self._transits.append(transit)
        self._waiting += 1
        if self._waiting >= BATCH or not is_usual:
            self._adapt(now)

    def _adapt(self, now: float) -> None:
        """Set the target by what has come within ``WINDOW``."""
        self._waiting = 0
        outdated = max(bisect_left(self._arrivals, now - WINDOW), len(self._arrivals) - MOST_ARRIVALS)
        del self._arrivals[:outdated], self._transits[:outdated]
        transits = sorted(self._transits)
        self._fastest = transits[0]
        self._slowest = slowest = transits[min(len(transits) - 1, int(len(transits) * (1 - self._lateness)))]
        if self._losses:
            slowest = max(slowest, _usual(self._losses, now))
        if self._spikes:
            slowest = max(slowest, _usual(self._spikes, now))
        if now >= self._proven_at:
            self._floor = 0.0
        self.target = max(self._floor, self._bounded(slowest - self._fastest + CUSHION))

    def _whole_frames(self, delay: float) -> float:
        """As much at least, and from the minimum by steps in which it moves: so it can go back to that."""
        steps = math.ceil(round((self._bounded(delay) - self._minimum) / self._frame_seconds, 6))
        return self._bounded(self._minimum + steps * self._frame_seconds)

    def _bounded(self, delay: float) -> float:
        return min(self._maximum, max(self._minimum, delay))

    def recovered(self, transit: float, now: float) -> None:
        """See ``DelayPolicy.recovered``."""
        _note(self._losses, transit, now)
        self._waiting = BATCH  # the next packet sets the target

    def _forget(self) -> None:
        self._arrivals, self._transits = array("d"), array("d")
        self._fastest, self._waiting = math.inf, 0
        self._losses.clear()
        self._spikes.clear()

    def waits(self, transit: float) -> bool:
        """See ``DelayPolicy.waits``."""
        return not self._transits or transit - self._fastest < self._maximum

    def change(self, transit: float, rest: float, now: float, is_pause: bool) -> float:
        """See ``DelayPolicy.change``; in speech after a rest only."""
        self._stretches = True
        if not self._transits:
            return 0.0
        off = transit - self._fastest - self.target
        self._quiet_frames = self._quiet_frames + 1 if is_pause else 0
        if self._quiet_frames > self._pause:
            self._off_since = math.inf
            frame = self._frame_seconds
            if off < TOO_SHORT:
                return frame - rest
            return -frame * int((off - TOO_SHORT) / frame) if off > self._too_long and not rest else -rest
        if off <= self._too_long:
            self._off_since = math.inf
            return 0.0
        self._off_since = min(self._off_since, now)
        if self._rests:
            self._rests -= 1
            return 0.0
        if now - self._off_since < (FAR_PATIENCE if abs(off) >= FAR else PATIENCE):
            return 0.0
        self._rests = self._rest
        self._off_since = -math.inf  # on with it, until it is as it should be
        return -off

    def _unneeded(self, depth: int, clock_rate: int, now: float) -> int:
        """As of a fixed delay for who cannot stretch; else only what is far too much."""
        stretches, self._stretches = self._stretches, False
        excess = super()._unneeded(depth, clock_rate, now)
        return excess if not stretches or excess > CUT * clock_rate else 0


def _note(events: list[tuple[float, float]], transit: float, now: float) -> None:
    if len(events) == RECENT:
        del events[0]
    events.append((now, transit))


def _usual(events: list[tuple[float, float]], now: float) -> float:
    """The longest but one that anything of this kind has taken lately; what is long ago is forgotten."""
    while events and events[0][0] < now - MEMORY:
        del events[0]
    return sorted(transit for _, transit in events)[-2] if len(events) > 1 else -math.inf
