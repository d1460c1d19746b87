"""The wheel: one task that drives every session's media ticks and engine timeouts.

A wheel turns once per media period (20 ms) and has slots of 5 ms. A session is given the emptiest slot, so sessions
spread over the period. 500 tasks that sleep 20 ms each cost half a core; one wheel for all costs two per cent.
"""

import math
from collections.abc import Callable
from typing import Final, Protocol

import trio

from glottis.contracts.audio import FRAME_SECONDS
from glottis.media.lateness import Lateness
from glottis.media.timeouts import Timeouts

SLOT: Final = 0.005
SLOTS: Final = round(FRAME_SECONDS / SLOT)
TIMEOUTS_BUDGET: Final = 0.002
"""Seconds of a turn for timeouts, however many are due; the rest is for the next turn."""
SPARE: Final = 0.003
"""Seconds until the next slot that make a moment a free one."""


class Scheduled(Protocol):
    """A session, as the wheel sees it. Its methods never raise: a session handles its own errors."""

    def media_tick(self, now: float) -> None:
        """Called every ``FRAME_SECONDS`` seconds."""

    def send_tick(self, now: float) -> None:
        """Called between media ticks, for a session whose packets are shorter than ``FRAME_SECONDS``."""

    def handle_timeout(self, now: float) -> None:
        """Called once after each moment given to ``Scheduler.call_at``."""


class Sockets(Protocol):
    """What is read in each turn, because the process is awake then: ``UdpEndpoint``."""

    def begin_turns(self) -> None:
        """From now on ``drain`` will be called every ``SLOT`` seconds."""

    def drain(self) -> None:
        """Take in what has come."""

    def end_turns(self) -> None:
        """The wheel rests."""


class Scheduler:
    """Owned by the gateway; ``run`` turns the wheel until cancelled."""

    def __init__(self, sockets: Sockets | None = None) -> None:
        self.lateness = Lateness()
        """Of the turns."""
        self.busy = 0.0
        """Seconds that ticks have taken, since the start."""
        self.use_free_moment: Callable[[], None] = lambda: None
        """Called at the end of each turn that leaves some time until the next one."""
        self._sockets = sockets
        self._slots: list[dict[Scheduled, bool]] = [{} for _ in range(SLOTS)]
        """Who is ticked there, and whether it is a media tick or else a send tick."""
        self._timeouts: Timeouts[Scheduled] = Timeouts()
        self._work = trio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._slots)) + len(self._timeouts)

    def start_media(self, session: Scheduled, send_period: float = FRAME_SECONDS) -> None:
        """Give ``session`` a phase: media ticks, and send ticks between them every ``send_period`` seconds."""
        phase = min(range(SLOTS), key=lambda slot: len(self._slots[slot]))
        for offset in range(0, SLOTS, max(1, round(send_period / SLOT))):
            self._slots[(phase + offset) % SLOTS][session] = offset == 0
        self._work.set()

    def call_at(self, session: Scheduled, deadline: float | None) -> None:
        """Replace the session's timeout; None means that it needs none."""
        if deadline is None:
            self._timeouts.discard(session)
        else:
            self._timeouts.set(session, deadline)
            self._work.set()

    def remove(self, session: Scheduled) -> None:
        """Forget ``session``."""
        self._timeouts.discard(session)
        for slot in self._slots:
            slot.pop(session, None)

    async def run(self) -> None:
        """Turn the wheel; it rests while there is nothing to do."""
        while True:
            if not len(self):
                self._work = trio.Event()
                await self._work.wait()
            if self._sockets is not None:
                self._sockets.begin_turns()
            turn = math.floor(trio.current_time() / SLOT) + 1
            while len(self):
                await trio.sleep_until(turn * SLOT)
                turn = self._turn(turn) + 1
            if self._sockets is not None:
                self._sockets.end_turns()

    def _turn(self, turn: int) -> int:
        """Run the slots from ``turn`` up to now; those that cannot be caught up are skipped. Returns the last one."""
        now = trio.current_time()
        behind = max(0, math.floor(now / SLOT) - turn)
        self.lateness.note(max(0.0, now - turn * SLOT))
        if behind:  # what has come can wait any longer, and what is to be heard cannot
            self._tick_slots(turn, behind)
            self._drain()
        else:
            self._drain()
            self._tick_slots(turn, behind)
        self._fire_timeouts()
        turn += behind
        if (turn + 1) * SLOT - trio.current_time() >= SPARE:
            self.use_free_moment()
        return turn

    def _drain(self) -> None:
        if self._sockets is not None:
            self._sockets.drain()

    def _tick_slots(self, turn: int, behind: int) -> None:
        now = trio.current_time()  # of what was read just now, too: no engine may see time go backwards
        for late in range(min(behind, SLOTS - 1) + 1):
            self._tick_slot((turn + late) % SLOTS, now)
        self.busy += trio.current_time() - now

    def _tick_slot(self, slot: int, now: float) -> None:
        for session, is_media_tick in list(self._slots[slot].items()):
            if is_media_tick:
                session.media_tick(now)
            else:
                session.send_tick(now)

    def _fire_timeouts(self) -> None:
        now = trio.current_time()
        end = now + TIMEOUTS_BUDGET
        while now < end and (session := self._timeouts.pop_due(now)) is not None:
            session.handle_timeout(now)
            now = trio.current_time()
