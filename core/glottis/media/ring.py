"""Who is ticked in which slot, in a period of the media."""

from typing import Final, Protocol

from glottis.contracts.audio import FRAME_SECONDS

SLOT: Final = 0.005
SLOTS: Final = round(FRAME_SECONDS / SLOT)


class Ticked(Protocol):
    """A session, as the ring sees it. Its methods never raise: a session handles its own errors."""

    def media_tick(self, now: float) -> None:
        """Called every ``FRAME_SECONDS`` seconds."""

    def send_tick(self, now: float) -> None:
        """Called between media ticks, for a session whose packets are shorter than ``FRAME_SECONDS``."""


class Ring:
    """Slots are numbered by time and come round. A session is in one, and in more if its packets are short.

    ``served`` is the number of the slot that was served last.
    """

    def __init__(self) -> None:
        self.served = 0
        self._slots: list[dict[Ticked, bool]] = [{} for _ in range(SLOTS)]
        """Who is ticked there, and whether it is a media tick or else a send tick."""

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def add(self, session: Ticked, send_period: float) -> None:
        """Give ``session`` the phase of the fewest: media ticks, and send ticks between them."""
        phase = min(range(SLOTS), key=lambda slot: len(self._slots[slot]))
        for offset in range(0, SLOTS, max(1, round(send_period / SLOT))):
            self._slots[(phase + offset) % SLOTS][session] = offset == 0

    def remove(self, session: Ticked) -> None:
        """Forget ``session``."""
        for slot in self._slots:
            slot.pop(session, None)

    def serve(self, until: int, now: float) -> None:
        """Tick those of all slots up to ``until`` that were not served yet; nobody twice, however long ago that was."""
        for number in range(max(self.served, until - SLOTS) + 1, until + 1):
            for session, is_media_tick in list(self._slots[number % SLOTS].items()):
                if is_media_tick:
                    session.media_tick(now)
                else:
                    session.send_tick(now)
        self.served = max(self.served, until)
