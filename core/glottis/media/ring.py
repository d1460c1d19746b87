"""Who is ticked in which slot, in a period of the media.

A session has its slot until its caller's packets begin to come: then it moves to the first one in which they can be
heard. What it has to send between its ticks, because it was late or is an answer, need not wait for the next one.
"""

import math
from typing import Final, Protocol

from glottis.contracts.audio import FRAME_SECONDS

SLOT: Final = 0.005
SLOTS: Final = round(FRAME_SECONDS / SLOT)
CROWD: Final = 8
"""By how many sessions more than the emptiest a slot may be chosen: they wait for each other, a millisecond or so."""


class Ticked(Protocol):
    """A session, as the ring sees it. Its methods never raise: a session handles its own errors."""

    def media_tick(self, now: float) -> None:
        """Called every ``FRAME_SECONDS`` seconds."""

    def send_tick(self, now: float) -> None:
        """Called between media ticks, where packets are shorter than ``FRAME_SECONDS``, or one is due already."""


class Ring:
    """Slots are numbered by time and come round. A session is in one, and in more if its packets are short.

    ``served`` is the number of the slot that was served last.
    """

    def __init__(self) -> None:
        self.served = 0
        self._slots: list[dict[Ticked, bool]] = [{} for _ in range(SLOTS)]
        """Who is ticked there, and whether it is a media tick or else a send tick."""
        self._places = 0
        """Of all sessions in all slots; each turn asks whether there are any."""
        self._soon: dict[Ticked, None] = {}
        """Who has something to send."""

    def __len__(self) -> int:
        return self._places

    def add(self, session: Ticked, send_period: float) -> None:
        """Give ``session`` the phase of the fewest: media ticks, and send ticks between them."""
        self._place(session, send_period, min(range(SLOTS), key=self._crowd))

    def move(self, session: Ticked, moment: float) -> None:
        """Let its media ticks be as soon after ``moment`` as they can, now and later, if that crowds no slot."""
        places = [slot for slot in range(SLOTS) if session in self._slots[slot]]
        if not places:
            return
        self._drop(session)
        first = math.ceil(round(moment / SLOT, 6))
        most = min(map(self._crowd, range(SLOTS))) + CROWD
        phase = next(slot % SLOTS for slot in range(first, first + SLOTS) if self._crowd(slot % SLOTS) < most)
        self._place(session, FRAME_SECONDS / len(places), phase)

    def send_soon(self, session: Ticked) -> None:
        """Give ``session`` a send tick in the next ``send_answers``, once."""
        self._soon[session] = None

    @property
    def has_answers(self) -> bool:
        """Whether ``send_answers`` has something to do."""
        return bool(self._soon)

    def send_answers(self, now: float) -> None:
        """Tick those who asked for it."""
        soon, self._soon = self._soon, {}
        for session in soon:
            session.send_tick(now)

    def _crowd(self, slot: int) -> int:
        return len(self._slots[slot])

    def _place(self, session: Ticked, send_period: float, phase: int) -> None:
        for offset in range(0, SLOTS, max(1, round(send_period / SLOT))):
            self._slots[(phase + offset) % SLOTS][session] = offset == 0
        self._count()

    def remove(self, session: Ticked) -> None:
        """Forget ``session``."""
        self._drop(session)
        self._soon.pop(session, None)

    def _drop(self, session: Ticked) -> None:
        for slot in self._slots:
            slot.pop(session, None)
        self._count()

    def _count(self) -> None:
        self._places = sum(map(len, self._slots))

    def serve(self, until: int, now: float) -> None:
        """Tick those of all slots up to ``until`` that were not served yet; nobody twice, however long ago that was."""
        for number in range(max(self.served, until - SLOTS) + 1, until + 1):
            for session, is_media_tick in list(self._slots[number % SLOTS].items()):
                if is_media_tick:
                    session.media_tick(now)
                else:
                    session.send_tick(now)
        self.served = max(self.served, until)
