"""Keys that processors find in what is heard, as tones (ITU-T Q.23), beside those of telephone events."""

from collections.abc import Sequence

from glottis.contracts.errors import LocalError
from glottis.rtp.keys import KeyChange, KeyDown, KeyUp
from glottis.wire.telephone_event import DIGITS


class FoundKeys:
    """The ``Keys`` of a call. From its first telephone event on none are found: gateways may send both of one press."""

    def __init__(self) -> None:
        self.found: list[KeyChange] = []
        """Since the last media tick."""
        self._is_down = False
        self._is_over = False

    def down(self, digit: str) -> None:
        """See ``Keys``."""
        if digit not in DIGITS or len(digit) != 1:
            raise LocalError(f"digit: expected one of {DIGITS}, got {digit!r}")
        if self._is_down:
            raise LocalError(f"{digit} is down before the key before it is up")
        self._is_down = True
        self._add(KeyDown(digit))

    def up(self, duration: float) -> None:
        """See ``Keys``."""
        if self._is_down:
            self._is_down = False
            self._add(KeyUp(duration))

    def joined(self, told: Sequence[KeyChange]) -> Sequence[KeyChange]:
        """What has been found since the last media tick, and then what telephone events have ``told`` in it."""
        if told and not self._is_over:
            self.up(0.0)
            self._is_over = True
        if not self.found:
            return told
        found, self.found = self.found, []
        return [*found, *told]

    def _add(self, change: KeyChange) -> None:
        if not self._is_over:
            self.found.append(change)
