"""The wheel: one task that drives every session's media ticks and engine timeouts.

A wheel goes round once per media period (20 ms) and has slots of 5 ms. A session is given the emptiest slot, so
sessions spread over the period. The wheel turns for one slot or, under load, for two at a time: then half of the
sessions are served 5 ms late, always, and their packets are as even as before. 500 tasks that sleep 20 ms each cost
half a core; one wheel for all costs two per cent.
"""

import math
from collections.abc import Callable
from typing import Final, Protocol

import trio

from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.timeouts import Timeouts
from glottis.media.lateness import Lateness
from glottis.media.pace import MOST_SLOTS, Pace
from glottis.media.ring import SLOT, Ring, Ticked

TIMEOUTS_BUDGET: Final = 0.002
"""Seconds of a turn for timeouts, however many are due; the rest is for the next turn."""
SPARE: Final = 0.003
"""Seconds until the next turn that make a moment a free one."""


class Scheduled(Ticked, Protocol):
    """A session, as the wheel sees it. Its methods never raise: a session handles its own errors."""

    def handle_timeout(self, now: float) -> None:
        """Called once after each moment given to ``Scheduler.call_at``."""


class Sockets(Protocol):
    """What is read and written in each turn, because the process is awake then: ``UdpEndpoint``."""

    def begin_turns(self) -> None:
        """From now on ``drain`` will be called whenever the wheel turns."""

    def drain(self, slots: int) -> None:
        """Take in what has come, in a turn that serves so many slots."""

    def hold(self) -> None:
        """The calls are ticked now: what they send may wait until ``flush``."""

    def flush(self) -> None:
        """They were: send it."""

    def end_turns(self) -> None:
        """The wheel rests."""


class Scheduler:
    """Owned by the gateway; ``run`` turns the wheel until cancelled."""

    def __init__(self, sockets: Sockets | None = None) -> None:
        self.lateness = Lateness()
        """Of the turns."""
        self.busy = 0.0
        """Seconds that ticks have taken, since the start."""
        self.pace = Pace()
        """Of the wheel."""
        self.use_free_moment: Callable[[], None] = lambda: None
        """Called at the end of each turn that leaves some time until the next one."""
        self._sockets = sockets
        self._ring = Ring()
        self._short = Ring()
        """Those with packets shorter than a turn may last: they are ticked in each slot, whatever the pace."""
        self._timeouts: Timeouts[Scheduled] = Timeouts()
        self._work = trio.Event()
        self._resting: trio.lowlevel.Task | None = None
        """The wheel's task, between two turns."""
        self._rests_until = 0.0
        """When its rest is over."""

    def __len__(self) -> int:
        return self._ring.places + self._short.places + len(self._timeouts)

    def start_media(
        self, session: Scheduled, send_period: float = FRAME_SECONDS, media_period: float = FRAME_SECONDS
    ) -> None:
        """Give ``session`` a phase: media ticks every ``media_period`` seconds, and send ticks between them."""
        ring = self._ring if round(send_period / SLOT) >= MOST_SLOTS else self._short
        ring.add(session, send_period, media_period)
        self._work.set()

    def hear_from(self, session: Scheduled, moment: float) -> None:
        """Its caller's packets begin to come, the first to be played at ``moment``: media ticks are to follow that."""
        for ring in (self._ring, self._short):
            ring.move(session, moment)

    def send_soon(self, session: Scheduled) -> None:
        """Give ``session`` a send tick, for something is due before its next one: now, if the wheel has time."""
        self._ring.send_soon(session)
        if self.pace.slots == 1 and self._resting is not None:
            trio.lowlevel.reschedule(self._resting)
            self._resting = None

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
        self._ring.remove(session)
        self._short.remove(session)

    async def run(self) -> None:
        """Turn the wheel; it rests while there is nothing to do."""
        while True:
            if not len(self):
                self._work = trio.Event()
                await self._work.wait()
            if self._sockets is not None:
                self._sockets.begin_turns()
            slot = self._ring.served = self._short.served = math.floor(trio.current_time() / SLOT)
            while len(self):
                slot = self._after(slot)
                await self._rest(slot * SLOT)
                await trio.lowlevel.checkpoint_if_cancelled()  # which a rest that begins late does not notice
                slot = self._turn(slot)
            if self._sockets is not None:
                self._sockets.end_turns()

    async def _rest(self, until: float) -> None:
        """While turns are short, what is answered leaves at once.

        The agents that one turn has woken run before the wheel does again, so their answers leave together.
        """
        self._rests_until = until
        with trio.CancelScope(deadline=until):
            while True:
                if self._ring.soon and self.pace.slots == 1:
                    began = trio.current_time()
                    self._tick(None)
                    self.pace.spend(trio.current_time() - began)
                self._resting = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._stop_resting)
                if trio.current_time() >= until:
                    return

    def _stop_resting(self, raise_cancel: object) -> trio.lowlevel.Abort:
        """At the end of its rest the wheel goes on; ``Cancelled``, which is dear, is for who is to turn no more."""
        task, self._resting = self._resting, None
        if task is None or trio.current_time() < self._rests_until:
            return trio.lowlevel.Abort.SUCCEEDED
        trio.lowlevel.reschedule(task)
        return trio.lowlevel.Abort.FAILED

    def _after(self, slot: int) -> int:
        """In which slot the wheel turns next."""
        slots = 1 if self._short.places else self.pace.slots
        return (slot // slots + 1) * slots

    def _turn(self, slot: int) -> int:
        """The turn of ``slot``, and of those up to now that were missed. Returns the last one."""
        clock = trio.lowlevel.current_clock().current_time
        began = clock()
        late = max(0.0, began - slot * SLOT)
        self.lateness.note(late)
        slot = max(slot, math.floor(began / SLOT))
        if slot // self.pace.slots * self.pace.slots <= self._ring.served:
            self._tick(slot)  # between the turns of the others
        elif late >= SLOT:  # what has come can wait any longer, and what is to be heard cannot
            self._tick(slot)
            self._drain()
        else:
            self._drain()
            self._tick(slot)
        self._fire_timeouts()
        ended = clock()
        self.pace.note(began, ended)
        if self._after(slot) * SLOT - ended >= SPARE:
            self.use_free_moment()
        return slot

    def _drain(self) -> None:
        if self._sockets is not None:
            self._sockets.drain(self.pace.slots)

    def _tick(self, slot: int | None) -> None:
        """Serve who has answered, and all up to ``slot``, those of the ring as far as its pace is."""
        now = trio.current_time()  # of what was read just now, too: no engine may see time go backwards
        if self._sockets is not None:
            self._sockets.hold()
        try:
            if self._ring.soon:
                self._ring.send_answers(now)
            if slot is not None:
                self._ring.serve(slot // self.pace.slots * self.pace.slots, now)
                self._short.serve(slot, now)
        finally:  # also for the goodbyes after an interrupt
            if self._sockets is not None:
                self._sockets.flush()
            self.busy += trio.current_time() - now

    def _fire_timeouts(self) -> None:
        now = trio.current_time()
        end = now + TIMEOUTS_BUDGET
        while now < end and (session := self._timeouts.pop_due(now)) is not None:
            session.handle_timeout(now)
            now = trio.current_time()
