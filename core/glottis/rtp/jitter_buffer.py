"""The jitter buffer: puts packets in order and says where playout stands on the sender's timeline.

Playout advances by RTP time, one media tick after the other: a lost packet leaves a gap there and never a delay. How
long packets wait is for a policy to say, and whether playout stands still for those that are late.
"""

from bisect import bisect_left
from typing import Final

from glottis.contracts.audio import FRAME_SECONDS
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.delay import DelayPolicy
from glottis.rtp.payload import BufferedPacket
from glottis.rtp.sequence import MAX_DROPOUT

CAPACITY: Final = 128
"""Packets: more than the second of audio that may wait, in packets of 10 ms; the oldest is dropped."""
MAX_AHEAD: Final = 1.0
"""Seconds; packets further ahead of playout tell of a new timeline rather than of a burst."""
TICK_TOLERANCE: Final = 0.001
"""Seconds; a tick that is early by this much is on time."""
MAX_FOREIGN: Final = 64
"""Sequence numbers of packets without audio, remembered so that they do not count as lost; all are forgotten."""


class JitterBuffer:
    """Reorders, and removes duplicates; ``delay`` says when playout starts, and what is skipped.

    ``position`` is where playout stands, in RTP clock units on the extended timeline; media ticks are
    ``frame_seconds`` apart.
    """

    __slots__ = (
        "_delay",
        "_foreign",
        "_frame_seconds",
        "_held",
        "_missed",
        "_newest_end",
        "_newest_sequence",
        "_statistics",
        "adapts",
        "clock_rate",
        "frame_units",
        "last_arrival",
        "last_sequence",
        "lost_before",
        "playing",
        "position",
        "starts_at",
        "waiting",
    )

    def __init__(
        self, clock_rate: int, delay: DelayPolicy, statistics: PlayoutStatistics, frame_seconds: float = FRAME_SECONDS
    ) -> None:
        self._frame_seconds = frame_seconds
        self._set_clock(clock_rate)
        self.adapts = delay.adapts
        """Whether ``change`` is worth asking."""
        self.playing = False
        self.starts_at: float | None = None
        """When playout can begin with what has come; None while it plays, or nothing has. Asked after each packet."""
        self.position = 0
        self.lost_before = 0
        """How many packets are missing just before the one popped last."""
        self.last_arrival = 0.0
        self._statistics = statistics
        self._delay = delay
        self.waiting: list[BufferedPacket] = []
        """The packets, in order; others only look."""
        self._foreign: set[int] = set()
        self._held = 0
        """How long playout has been standing still, in clock units."""
        self._missed = 0
        """The same, because it could not play: nobody asked it to, be there packets or not."""
        self.last_sequence: int | None = None
        """Of the packet popped last, or given up."""
        self._newest_end = 0
        self._newest_sequence = 0

    @property
    def target_delay(self) -> float:
        """Seconds; see ``DelayPolicy.target``."""
        return self._delay.target

    def insert(self, packet: BufferedPacket) -> None:
        """Take in a packet; one that is too late, or there already, is dropped and counted.

        A copy is taken in only where its own packet is missing; else it has done no harm, and is not counted.
        """
        # Taken apart at once: to ask a named tuple for two of its fields takes as long.
        sequence, timestamp, duration, _, codec, arrived_at, is_copy, _ = packet
        if is_copy:
            self._insert_copy(packet)
            return
        self.last_arrival = arrived_at
        if self.adapts:
            self._delay.measured(arrived_at - timestamp / codec.clock_rate, arrived_at)
            if sequence != self._newest_sequence + 1:
                self._note_step(packet)
            else:
                self._newest_sequence = sequence
        if self.playing and not self._fits_playout(packet, sequence, timestamp - self.position, duration):
            return
        entries = self.waiting
        if not entries:
            entries.append(packet)
            if not self.playing:
                self.starts_at = arrived_at + self._delay.target
                self._newest_end = timestamp
        elif sequence > entries[-1].sequence:
            entries.append(packet)
        elif not self._insert_earlier(packet):
            return
        end = timestamp + duration
        if end > self._newest_end:
            self._newest_end = end
        if len(entries) > CAPACITY:
            self._discard_first()

    def _note_step(self, packet: BufferedPacket) -> None:
        """This one is not that which comes after the newest so far: one may be lost, or several, or it is late."""
        ahead = packet.sequence - self._newest_sequence
        codec = packet.codec
        if 1 < ahead <= CAPACITY and codec.in_band_redundancy:
            held = 1 if ahead == 2 else codec.redundancy_reach(packet.payload) // packet.duration
            for frame in range(1, min(ahead - 1, held) + 1):
                lost = packet.timestamp - frame * packet.duration  # what could be recovered by waiting until now
                self._delay.recovered(packet.arrived_at - lost / codec.clock_rate, packet.arrived_at)
        if ahead > 0:
            self._newest_sequence = packet.sequence

    def note_foreign(self, sequence: int) -> None:
        """A packet of this number came but holds no audio (an event, a keepalive): it is not lost."""
        if len(self._foreign) >= MAX_FOREIGN:
            self._foreign.clear()
        self._foreign.add(sequence)

    def start(self, now: float) -> bool:
        """Begin playout if the first packet has waited for the target delay; says whether it plays."""
        entries = self.waiting
        if not entries or self.starts_at is None or now < self.starts_at - TICK_TOLERANCE:
            return False
        most = int(self._delay.most_at_start * self.clock_rate)
        while len(entries) > 1 and self._newest_end - entries[1].timestamp > most:
            self._discard_first()
        self.playing = True
        self.starts_at = None
        self.position = entries[0].timestamp
        self._delay.started(self._newest_end - self.position, now)
        return True

    def restart(self, clock_rate: int | None = None) -> None:
        """Drop everything and wait for a first packet again, of a timeline that may have nothing to do with before."""
        self._statistics.packets_discarded += len(self.waiting)
        self.waiting.clear()
        self._foreign.clear()
        self.last_sequence = None
        self._held = self._missed = 0
        self._newest_sequence = 0
        self.playing = False
        self.starts_at = None
        self._delay.restarted()
        if clock_rate is not None:
            self._set_clock(clock_rate)

    def _set_clock(self, rate: int) -> None:
        self.clock_rate = rate
        self.frame_units = round(rate * self._frame_seconds)

    def pass_time(self, clock_units: int, now: float) -> None:
        """Nothing was there to be played for so long: playout goes on, or stands still for what is late."""
        if not self.is_silent_before(None) and self._delay.waits(self.transit(now)):
            self._held += clock_units
        else:
            self.position += clock_units

    def miss(self, clock_units: int) -> None:
        """Media ticks have been left out: that time has passed, and playout has not moved."""
        self._missed += clock_units

    def make_up(self, packet: BufferedPacket, now: float) -> int:
        """The gap before ``packet``, which is the first; negative, where it overlaps with what was played.

        What was lost, or was never said, while playout stood still has had its time, and is no gap any more.
        """
        gap = packet.timestamp - self.position
        if self._held:
            made_up = max(0, min(gap, self._held))
            self._held = 0
            self.position += made_up
            gap -= made_up
        if self._missed and gap > 0:
            made_up = self._whole_frames(min(gap, self._missed, self._unneeded_wait(packet, gap, now)))
            self._missed -= made_up
            self.position += made_up
            gap -= made_up
        return gap

    def _unneeded_wait(self, packet: BufferedPacket, gap: int, now: float) -> int:
        """By how much longer than the target ``packet`` will have waited when the gap before it is over."""
        return max(0, gap + int((now - packet.arrived_at - self._delay.target) * self.clock_rate))

    def _whole_frames(self, clock_units: int) -> int:
        """A step of another length would leave a rest of what is decoded waiting in each tick from then on."""
        return clock_units - clock_units % self.frame_units

    def transit(self, now: float, pending: int = 0) -> float:
        """How long the next packet will have taken when it is needed: in the first tick that ``pending`` does not fill.

        ``pending`` is what has been taken out but not been played yet, in clock units.
        """
        filled = pending // self.frame_units
        return now + (1 + filled) * self._frame_seconds - self.position / self.clock_rate

    def change(self, now: float, pending: int, is_pause: bool) -> float:
        """Seconds by which the policy wants a frame longer, or shorter if negative."""
        if not self.playing:
            return 0.0
        rest = pending % self.frame_units / self.clock_rate
        return self._delay.change(self.transit(now, pending), rest, now, is_pause)

    def first(self) -> BufferedPacket | None:
        """The packet to play next. If it starts after ``position``, there is a gap."""
        return self.waiting[0] if self.waiting else None

    def pop(self) -> BufferedPacket:
        """Take the first packet out, and note in ``lost_before`` how many are missing before it."""
        packet = self.waiting.pop(0)
        sequence = packet.sequence
        self.lost_before = 0 if sequence - 1 == self.last_sequence else self.missing_before(packet)
        self.last_sequence = sequence
        if self._foreign:
            self._foreign = {foreign for foreign in self._foreign if foreign > sequence}
        return packet

    def missing_before(self, packet: BufferedPacket) -> int:
        """How many packets between the one popped last and ``packet`` have not come.

        It is 0 where the source restarted, or where ``packet`` is older than what was popped last.
        """
        if self.last_sequence is None:
            return 0
        missing = packet.sequence - self.last_sequence - 1
        if missing and self._foreign:
            missing -= sum(self.last_sequence < sequence < packet.sequence for sequence in self._foreign)
        return missing if 0 < missing < MAX_DROPOUT else 0

    def is_silent_before(self, packet: BufferedPacket | None) -> bool:
        """Whether packets without audio came after the one popped last, and before ``packet`` if there is one.

        Who sends them in place of audio (RFC 4733 §2.2.1) has left a gap of its own will, in which nothing is lost.
        """
        last = self.last_sequence
        if last is None or not self._foreign:
            return False
        return any(last < sequence and (packet is None or sequence < packet.sequence) for sequence in self._foreign)

    def end_tick(self, now: float, pending: int = 0) -> int:
        """Skip what the policy finds to be too much after a tick: returns clock units skipped.

        ``pending`` is what has been taken out but not been played yet, in clock units.
        """
        if not self.playing:
            return 0
        excess = self._delay.excess(self._newest_end - self.position + pending, self.clock_rate, now)
        if excess:
            self._skip(excess)
        return excess

    def _fits_playout(self, packet: BufferedPacket, sequence: int, lead: int, duration: int) -> bool:
        """Whether the packet is still to come. It may, as a last resort, have stopped playout to start it anew."""
        last = self.last_sequence
        if last is not None and sequence <= last:
            self._statistics.packets_discarded += 1
            return False
        if not self._delay.arrived(packet, lead) or lead > MAX_AHEAD * self.clock_rate:
            self.restart()
        elif lead + duration <= 0:  # else its end, at least, may still be heard
            self._statistics.packets_discarded += 1
            return False
        return True

    def _insert_earlier(self, packet: BufferedPacket) -> bool:
        """Put a packet that was overtaken in its place; says False if it is there already."""
        index = bisect_left(self.waiting, packet.sequence, key=_sequence)
        if self.waiting[index].sequence == packet.sequence:
            self._statistics.packets_duplicated += 1
            return False
        self.waiting.insert(index, packet)
        return True

    def _insert_copy(self, copy: BufferedPacket) -> None:
        """Put a copy into the gap that it belongs to, under the number that its own packet is likely to have had.

        The gap must be one of sequence numbers, too: else nothing is lost. Before a timeline's first packet is none.
        """
        entries = self.waiting
        index = bisect_left(entries, copy.timestamp, key=_timestamp)
        last, free_from = self.last_sequence, self.position - copy.duration + 1
        if index:
            before = entries[index - 1]
            last, free_from = before.sequence, before.timestamp + before.duration
        if last is None or index == len(entries) or entries[index].sequence == last + 1:
            return
        after = entries[index]
        if self.adapts:
            self._delay.recovered(copy.arrived_at - copy.timestamp / self.clock_rate, copy.arrived_at)
        if free_from <= copy.timestamp <= after.timestamp - copy.duration:
            frames = max(1, (after.timestamp - copy.timestamp) // after.duration)
            entries.insert(index, copy._replace(sequence=max(last + 1, after.sequence - frames)))
            self._statistics.packets_recovered += 1
            self._statistics.red_recovered_units += copy.duration

    def _discard_first(self) -> None:
        self.last_sequence = self.waiting.pop(0).sequence
        self._statistics.packets_discarded += 1

    def _skip(self, excess: int) -> None:
        self.position += excess
        self._missed = max(0, self._missed - excess)
        while self.waiting and self.waiting[0].timestamp + self.waiting[0].duration <= self.position:
            self._discard_first()


def _timestamp(packet: BufferedPacket) -> int:
    return packet.timestamp


def _sequence(packet: BufferedPacket) -> int:
    return packet.sequence
