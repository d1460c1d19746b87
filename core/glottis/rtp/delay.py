"""How long packets wait before they are played: what the jitter buffer asks a policy, and the policy of one delay.

The delay is set when playout starts, and is corrected in two cases only: when packets keep coming too late (playout
starts anew), and when more than the target has been waiting for a whole second (the excess is skipped). A head start,
which has waited for other reasons than the network's, is skipped little by little.
"""

from typing import Final, Protocol

from glottis.rtp.payload import BufferedPacket

DEFAULT_TARGET_DELAY: Final = 0.04
"""Seconds that a packet waits before it is played, so that the next two may overtake each other."""
LATE_PATIENCE: Final = 0.06
"""Seconds; if packets come too late for so long, and none in time, the path has become slower."""
EXCESS_WINDOW: Final = 1.0
"""Seconds; what has waited all this time beyond the target is delay without use."""
EXCESS_SLACK: Final = 0.02
"""Seconds: arrival and media ticks have any phase to each other, so one frame of 20 ms is no excess."""
HEAD_START: Final = 0.25
"""Seconds of audio that may wait when playout starts, where they are to be heard all the same."""
CATCH_UP_WINDOW: Final = 0.1
CATCH_UP_STEP: Final = 0.02
"""Seconds; of each window of such a head start one step is skipped, until it is worked off: speech stays intelligible.
"""


class DelayPolicy(Protocol):
    """Decides for one stream. Depths and leads are in units of its RTP clock, which may change with the codec."""

    adapts: bool
    """Whether it goes by how late packets are: else it is not told of that, and asked for no change of speech."""

    @property
    def target(self) -> float:
        """Seconds that the first packet waits before playout starts with it."""

    @property
    def most_at_start(self) -> float:
        """Seconds of audio that may wait when playout starts; what is older is dropped."""

    def allow_head_start(self) -> None:
        """What has come so far are the peer's first words, however long they wait for the first media tick."""

    def restarted(self) -> None:
        """What comes next may have nothing to do with what was measured before, and waits for playout to start."""

    def started(self, depth: int, now: float) -> None:
        """Playout starts, with so much audio waiting."""

    def measured(self, transit: float, now: float) -> None:
        """What was sent at one time of the sender's clock has come: the difference of the clocks in seconds.

        Told of each packet.
        """

    def recovered(self, transit: float, now: float) -> None:
        """The same of a lost packet, whose audio the next one may bring."""

    def waits(self, transit: float) -> bool:
        """Nothing is there to be played: whether playout stands still, so that what is late can still be heard.

        ``transit`` is how long what is to be played next will have taken at its time, on the clocks of ``measured``.
        """

    def change(self, transit: float, rest: float, now: float, is_pause: bool) -> float:
        """Seconds by which a frame, of speech or of a pause, is to be longer, or shorter if negative; see ``waits``.

        ``rest`` is how much of what was decoded waits for a later frame to be completed: it delays what is heard, and
        has no part in when packets are needed.
        """

    def arrived(self, packet: BufferedPacket, lead: int) -> bool:
        """A packet has come so long before its turn, or after it if negative; says False to start playout anew."""

    def excess(self, depth: int, clock_rate: int, now: float) -> int:
        """How much of the audio that waits at the end of a media tick is to be skipped, to lessen the delay."""


class FixedDelay:
    """The same delay always, as far as the path allows.

    ``target`` in seconds may be set at any time: a smaller one takes effect within ``EXCESS_WINDOW``, a larger one when
    playout starts anew.
    """

    __slots__ = ("_catching_up", "_late_since", "_least_depth", "_window_ends_at", "target")

    adapts = False

    def __init__(self, target: float = DEFAULT_TARGET_DELAY) -> None:
        self.target = target
        self._catching_up = False
        self._late_since: float | None = None
        self._least_depth = 0
        self._window_ends_at = 0.0

    @property
    def most_at_start(self) -> float:
        """The target, or a whole head start."""
        return HEAD_START if self._catching_up else self.target + EXCESS_SLACK

    def allow_head_start(self) -> None:
        """Begin with what has come so far, up to ``HEAD_START``, instead of the target."""
        self._catching_up = True

    def restarted(self) -> None:
        """Of no concern."""

    def started(self, depth: int, now: float) -> None:
        """See ``DelayPolicy.started``."""
        self._late_since = None
        self._open_window(depth, now)

    def measured(self, transit: float, now: float) -> None:
        """Of no concern."""

    def recovered(self, transit: float, now: float) -> None:
        """Of no concern."""

    def waits(self, transit: float) -> bool:
        """What comes late is lost."""
        return False

    def change(self, transit: float, rest: float, now: float, is_pause: bool) -> float:
        """None."""
        return 0.0

    def arrived(self, packet: BufferedPacket, lead: int) -> bool:
        """One packet that is late is lost; many show that it is time to start anew, with the delay they need."""
        if lead >= 0:
            self._late_since = None
            return True
        if self._late_since is None:
            self._late_since = packet.arrived_at
        return packet.arrived_at - self._late_since < LATE_PATIENCE

    def excess(self, depth: int, clock_rate: int, now: float) -> int:
        """What was never needed in the window that ends now; of a head start, a step."""
        if depth < self._least_depth:
            self._least_depth = depth
        return 0 if now < self._window_ends_at else self._unneeded(depth, clock_rate, now)

    def _unneeded(self, depth: int, clock_rate: int, now: float) -> int:
        """At the end of a window: what is to be skipped."""
        excess = self._least_depth - int(self.target * clock_rate)
        is_too_deep = excess >= EXCESS_SLACK * clock_rate
        if self._catching_up:
            self._catching_up = is_too_deep
            excess = min(excess, int(CATCH_UP_STEP * clock_rate))
        self._open_window(depth, now)
        return excess if is_too_deep else 0

    def _open_window(self, depth: int, now: float) -> None:
        self._window_ends_at = now + (CATCH_UP_WINDOW if self._catching_up else EXCESS_WINDOW)
        self._least_depth = depth
