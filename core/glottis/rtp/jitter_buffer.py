"""The jitter buffer: puts packets in order and says where playout stands on the sender's timeline.

Playout advances by RTP time, one media tick after the other, whatever arrives: a lost packet leaves a gap there and
never a delay. The delay is set when playout starts, and is corrected in two cases only: when packets keep coming too
late (it starts anew), and when more than the target has been waiting for a whole second (the excess is skipped).
A head start, which has waited for other reasons than the network's, is skipped little by little.
"""

from bisect import bisect_left
from typing import Final

from glottis.rtp.payload import BufferedPacket
from glottis.rtp.sequence import MAX_DROPOUT
from glottis.rtp.statistics import PlayoutStatistics

CAPACITY: Final = 128
"""Packets: more than the second of audio that may wait, in packets of 10 ms; the oldest is dropped."""
MAX_AHEAD: Final = 1.0
"""Seconds; packets further ahead of playout tell of a new timeline rather than of a burst."""
LATE_PATIENCE: Final = 0.06
"""Seconds; if packets come too late for so long, and none in time, the path has become slower."""
EXCESS_WINDOW: Final = 1.0
"""Seconds; what has waited all this time beyond the target is delay without use."""
HEAD_START: Final = 0.25
"""Seconds of audio that may wait when playout starts, where they are to be heard all the same."""
CATCH_UP_WINDOW: Final = 0.1
CATCH_UP_STEP: Final = 0.02
"""Seconds; of each window of such a head start one step is skipped, until it is worked off: speech stays intelligible.
"""
EXCESS_SLACK: Final = 0.02
"""Seconds: arrival and media ticks have any phase to each other, so one frame of 20 ms is no excess."""
TICK_TOLERANCE: Final = 0.001
"""Seconds; a tick that is early by this much is on time."""
MAX_FOREIGN: Final = 64
"""Sequence numbers of packets without audio, remembered so that they do not count as lost; all are forgotten."""


class JitterBuffer:
    """Reorders, removes duplicates, and keeps the delay at ``target_delay`` seconds.

    ``target_delay`` may be set at any time: a smaller one takes effect within ``EXCESS_WINDOW``, a larger one when
    playout starts anew. ``position`` is where playout stands, in RTP clock units on the extended timeline.
    """

    __slots__ = (
        "_catching_up",
        "_entries",
        "_foreign",
        "_last_sequence",
        "_late_since",
        "_least_depth",
        "_newest_end",
        "_ready_at",
        "_statistics",
        "_window_ends_at",
        "clock_rate",
        "last_arrival",
        "lost_before",
        "playing",
        "position",
        "target_delay",
    )

    def __init__(self, clock_rate: int, target_delay: float, statistics: PlayoutStatistics) -> None:
        self.clock_rate = clock_rate
        self.target_delay = target_delay
        self.playing = False
        self.position = 0
        self.lost_before = 0
        """How many packets are missing just before the one popped last."""
        self.last_arrival = 0.0
        self._statistics = statistics
        self._catching_up = False
        self._entries: list[BufferedPacket] = []
        self._foreign: set[int] = set()
        self._last_sequence: int | None = None
        self._late_since: float | None = None
        self._ready_at = 0.0
        self._newest_end = 0
        self._least_depth = 0
        self._window_ends_at = 0.0

    def insert(self, packet: BufferedPacket) -> None:
        """Take in a packet; one that is too late, or there already, is dropped and counted."""
        self.last_arrival = packet.arrived_at
        if self.playing and not self._fits_playout(packet):
            return
        entries = self._entries
        if not entries:
            self._insert_first(packet)
        elif packet.sequence > entries[-1].sequence:
            entries.append(packet)
        elif not self._insert_earlier(packet):
            return
        end = packet.timestamp + packet.duration
        if end > self._newest_end:
            self._newest_end = end
        if len(entries) > CAPACITY:
            self._discard_first()

    def allow_head_start(self) -> None:
        """Begin with what has come so far, up to ``HEAD_START``, instead of the target."""
        self._catching_up = True

    def note_foreign(self, sequence: int) -> None:
        """A packet of this number came but holds no audio (an event, a keepalive): it is not lost."""
        if len(self._foreign) >= MAX_FOREIGN:
            self._foreign.clear()
        self._foreign.add(sequence)

    def start(self, now: float) -> bool:
        """Begin playout if the first packet has waited for the target delay; says whether it plays."""
        entries = self._entries
        if not entries or now < self._ready_at - TICK_TOLERANCE:
            return False
        most = int((HEAD_START if self._catching_up else self.target_delay + EXCESS_SLACK) * self.clock_rate)
        while len(entries) > 1 and self._newest_end - entries[1].timestamp > most:
            self._discard_first()
        self.playing = True
        self.position = entries[0].timestamp
        self._late_since = None
        self._open_window(now, depth=self._newest_end - self.position)
        return True

    def restart(self, clock_rate: int | None = None) -> None:
        """Drop everything and wait for a first packet again, of a timeline that may have nothing to do with before."""
        self._statistics.packets_discarded += len(self._entries)
        self._entries.clear()
        self._foreign.clear()
        self._last_sequence = None
        self.playing = False
        if clock_rate is not None:
            self.clock_rate = clock_rate

    def first(self) -> BufferedPacket | None:
        """The packet to play next. If it starts after ``position``, there is a gap."""
        return self._entries[0] if self._entries else None

    def pop(self) -> BufferedPacket:
        """Take the first packet out, and note in ``lost_before`` how many are missing before it."""
        packet = self._entries.pop(0)
        self.lost_before = self.missing_before(packet)
        self._last_sequence = packet.sequence
        if self._foreign:
            self._foreign = {sequence for sequence in self._foreign if sequence > packet.sequence}
        return packet

    def missing_before(self, packet: BufferedPacket) -> int:
        """How many packets between the one popped last and ``packet`` have not come; 0 where the source restarted."""
        if self._last_sequence is None:
            return 0
        missing = packet.sequence - self._last_sequence - 1
        if missing and self._foreign:
            missing -= sum(self._last_sequence < sequence < packet.sequence for sequence in self._foreign)
        return missing if missing < MAX_DROPOUT else 0

    def end_tick(self, now: float, pending: int = 0) -> int:
        """Measure the depth after a tick, and skip what exceeds the target for long: returns clock units skipped.

        ``pending`` is what has been taken out but not been played yet, in clock units.
        """
        if not self.playing:
            return 0
        depth = self._newest_end - self.position + pending
        if depth < self._least_depth:
            self._least_depth = depth
        if now < self._window_ends_at:
            return 0
        excess = self._least_depth - int(self.target_delay * self.clock_rate)
        is_too_deep = excess >= EXCESS_SLACK * self.clock_rate
        if self._catching_up:
            self._catching_up = is_too_deep
            excess = min(excess, int(CATCH_UP_STEP * self.clock_rate))
        self._open_window(now, depth)
        return self._skip(excess) if is_too_deep else 0

    def _fits_playout(self, packet: BufferedPacket) -> bool:
        """Whether the packet is still to come. It may, as a last resort, have stopped playout to start it anew."""
        if self._last_sequence is not None and packet.sequence <= self._last_sequence:
            self._statistics.packets_discarded += 1
            return False
        if packet.timestamp < self.position:
            return self._fits_late(packet)
        self._late_since = None
        if packet.timestamp - self.position > MAX_AHEAD * self.clock_rate:
            self.restart()
        return True

    def _fits_late(self, packet: BufferedPacket) -> bool:
        """Playout has passed the packet's start: its end may still be heard, unless it is time to start anew."""
        if self._late_since is None:
            self._late_since = packet.arrived_at
        if packet.arrived_at - self._late_since >= LATE_PATIENCE:
            self.restart()
            return True
        if packet.timestamp + packet.duration > self.position:
            return True
        self._statistics.packets_discarded += 1
        return False

    def _insert_first(self, packet: BufferedPacket) -> None:
        self._entries.append(packet)
        if not self.playing:
            self._ready_at = packet.arrived_at + self.target_delay
            self._newest_end = packet.timestamp

    def _insert_earlier(self, packet: BufferedPacket) -> bool:
        """Put a packet that was overtaken in its place; says False if it is there already."""
        index = bisect_left(self._entries, packet.sequence, key=_sequence)
        if self._entries[index].sequence == packet.sequence:
            self._statistics.packets_duplicated += 1
            return False
        self._entries.insert(index, packet)
        return True

    def _discard_first(self) -> None:
        self._last_sequence = self._entries.pop(0).sequence
        self._statistics.packets_discarded += 1

    def _open_window(self, now: float, depth: int) -> None:
        self._window_ends_at = now + (CATCH_UP_WINDOW if self._catching_up else EXCESS_WINDOW)
        self._least_depth = depth

    def _skip(self, excess: int) -> int:
        self.position += excess
        while self._entries and self._entries[0].timestamp + self._entries[0].duration <= self.position:
            self._discard_first()
        return excess


def _sequence(packet: BufferedPacket) -> int:
    return packet.sequence
