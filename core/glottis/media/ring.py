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
        """Called every ``FRAME_SECONDS`` seconds, or as often as it has asked for."""

    def send_tick(self, now: float) -> None:
        """Called between media ticks, where packets are shorter than frames, or one is due already."""


class Ring:
    """Slots are numbered by time and come round. A session is in one, and in more if its packets are short.

    ``served`` is the number of the slot that was served last.
    """

    def __init__(self) -> None:
        self.served = 0
        self._slots: list[dict[Ticked, bool]] = [{} for _ in range(SLOTS)]
        """Who is ticked there, and whether it is a media tick or else a send tick."""
        self.places = 0
        """Of all sessions in all slots; each turn asks whether there are any."""
        self.soon: dict[Ticked, None] = {}
        """Who has something to send, in ``send_answers``."""

    def add(self, session: Ticked, send_period: float, media_period: float = FRAME_SECONDS) -> None:
        """Give ``session`` the phase of the fewest: media ticks, and send ticks between them."""
        phase = min(range(SLOTS), key=self._crowd)
        self._place(session, round(send_period / SLOT), round(media_period / SLOT), phase)

    def move(self, session: Ticked, moment: float) -> None:
        """Let its media ticks be as soon after ``moment`` as they can, now and later, if that crowds no slot."""
        places = [slot[session] for slot in self._slots if session in slot]
        if not places:
            return
        self._drop(session)
        first = math.ceil(round(moment / SLOT, 6))
        most = min(map(self._crowd, range(SLOTS))) + CROWD
        phase = next(slot % SLOTS for slot in range(first, first + SLOTS) if self._crowd(slot % SLOTS) < most)
        self._place(session, SLOTS // len(places), SLOTS // sum(places), phase)

    def send_soon(self, session: Ticked) -> None:
        """Give ``session`` a send tick in the next ``send_answers``, once."""
        self.soon[session] = None

    def send_answers(self, now: float) -> None:
        """Tick those who asked for it."""
        soon, self.soon = self.soon, {}
        for session in soon:
            session.send_tick(now)

    def _crowd(self, slot: int) -> int:
        return len(self._slots[slot])

    def _place(self, session: Ticked, send_slots: int, media_slots: int, phase: int) -> None:
        """From ``phase`` on, a tick every so many slots: a media tick where both are due."""
        for offset in range(0, SLOTS, max(1, min(send_slots, media_slots))):
            self._slots[(phase + offset) % SLOTS][session] = offset % media_slots == 0
        self._count()

    def remove(self, session: Ticked) -> None:
        """Forget ``session``."""
        self._drop(session)
        self.soon.pop(session, None)

    def _drop(self, session: Ticked) -> None:
        for slot in self._slots:
            slot.pop(session, None)
        self._count()

    def _count(self) -> None:
        self.places = sum(map(len, self._slots))

    def serve(self, until: int, now: float) -> None:
        """Tick those of all slots up to ``until`` that were not served yet; nobody twice, however long ago that was."""
        if until <= self.served:
            return
        if self.places:
            for number in range(max(self.served, until - SLOTS) + 1, until + 1):
                for session, is_media_tick in list(self._slots[number % SLOTS].items()):
                    if is_media_tick:
                        session.media_tick(now)
                    else:
                        session.send_tick(now)
        self.served = until
