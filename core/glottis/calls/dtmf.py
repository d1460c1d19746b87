"""The keys of a call: those that the caller presses, for the agent, and those that the agent wants pressed."""

from collections.abc import Sequence
from typing import Final

import trio

from glottis.calls.streams import DroppingStream
from glottis.contracts.call import KeyPress
from glottis.contracts.checks import check_text
from glottis.rtp import KeyChange, KeyDown, KeyUp, Tone
from glottis.wire.telephone_event import DIGITS

MAX_KEYS: Final = 64
"""Keys waiting for the agent: who knows the menus presses ahead, but not as many."""
MAX_SENT: Final = 64
"""Digits in one call of ``send_dtmf``."""
TONE_SECONDS: Final = (0.04, 6.0)
GAP_SECONDS: Final = (0.03, 6.0)
"""Bounds, as in W3C's ``RTCDTMFSender``."""


class PressedKey(KeyPress):
    """What has become of it is noted by ``KeyStream``."""

    def __init__(self, digit: str) -> None:
        self.digit = digit
        self.duration = None
        self._is_up = trio.Event()

    def __repr__(self) -> str:
        return f"<key {self.digit} {'down' if self.duration is None else f'{self.duration:.2f} s'}>"

    def release(self, duration: float) -> None:
        """It is up again."""
        self.duration = duration
        self._is_up.set()

    async def released(self) -> float:
        """See ``KeyPress.released``."""
        await self._is_up.wait()
        assert self.duration is not None
        return self.duration


class KeyStream(DroppingStream[KeyPress]):
    """Told of each change by ``follow``."""

    def __init__(self) -> None:
        super().__init__(MAX_KEYS)
        self._last: PressedKey | None = None

    def follow(self, changes: Sequence[KeyChange]) -> None:
        """What has happened since the last media tick."""
        for change in changes:
            match change:
                case KeyDown(digit):
                    self._last = PressedKey(digit)
                    self.push(self._last)
                case KeyUp(duration) if self._last is not None:
                    self._last.release(duration)


def tones_of(digits: str, duration: float = 0.1, gap: float = 0.06) -> list[Tone]:
    """What an agent wants to be sent; raises ``ValueError`` for what cannot be."""
    check_text("digits", digits)
    if not set(digits.upper()) <= set(DIGITS):
        raise ValueError(f"digits: expected none but {DIGITS}")
    if len(digits) > MAX_SENT:
        raise ValueError(f"digits: expected at most {MAX_SENT}, got {len(digits)}")
    _check_seconds("duration", duration, *TONE_SECONDS)
    _check_seconds("gap", gap, *GAP_SECONDS)
    return [Tone(DIGITS.index(digit), duration, gap) for digit in digits.upper()]


def _check_seconds(name: str, seconds: float, least: float, most: float) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds <= most:
        raise ValueError(f"{name}: expected {least:g}–{most:g} seconds, got {seconds!r}")
