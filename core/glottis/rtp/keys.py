"""The keys that a caller presses, out of telephone events (RFC 4733): each told once, when it goes down and when up.

Of one press there are many packets, with one timestamp: updates, and three at the end, all of which may be lost. So a
press also ends with the next one, or when nothing more comes of it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from glottis.contracts.short_queue import ShortQueue
from glottis.rtp.payload import BufferedPacket
from glottis.wire.telephone_event import MAX_DURATION, TelephoneEvent, parse_telephone_event_untrusted

UPDATE_TIMEOUT: Final = 0.3
"""Seconds without an update after which a key counts as up: six of the 50 ms that are usual (RFC 4733 §2.5.1.2)."""
SEGMENT_SLACK: Final = 0.1
"""Seconds by which the next segment of a long press may start late: libwebrtc starts it with the next packet."""
MAX_FORMER: Final = 8
"""Presses whose packets are known again when they come late or twice."""
MAX_CHANGES: Final = 32
"""Changes in a media tick; nobody presses sixteen keys in 20 ms, and what is beyond is counted."""


class KeyDown(msgspec.Struct, frozen=True):
    """The caller has pressed a key, whose ``digit`` is one of ``0123456789*#ABCD``."""

    digit: str


class KeyUp(msgspec.Struct, frozen=True):
    """The key pressed last is up again; ``duration`` is how long it was down, in seconds."""

    duration: float


KeyChange = KeyDown | KeyUp


class _Identity(NamedTuple):
    """What all packets of a press, or of a segment of it, have in common."""

    timestamp: int
    event: int


class _Press(msgspec.Struct):
    """``duration`` and ``before`` are in clock units: of this segment, and of those before it."""

    identity: _Identity
    clock_rate: int
    heard_at: float
    duration: int = 0
    before: int = 0
    is_up: bool = False

    @property
    def seconds(self) -> float:
        return (self.before + self.duration) / self.clock_rate

    def continues_as(self, next_one: _Identity) -> bool:
        """Whether that is the next segment of a press too long for one (RFC 4733 §2.5.1.3)."""
        if self.is_up or next_one.event != self.identity.event:
            return False
        length = (next_one.timestamp - self.identity.timestamp) & 0xFFFFFFFF
        return length == self.duration or 0 <= length - MAX_DURATION <= SEGMENT_SLACK * self.clock_rate

    def go_on_as(self, next_one: _Identity) -> None:
        self.before += (next_one.timestamp - self.identity.timestamp) & 0xFFFFFFFF
        self.identity, self.duration = next_one, 0


class Keypad:
    """Of one call, whatever sources and formats its events come from. Call ``take_changes`` in every media tick."""

    def __init__(self) -> None:
        self.dtmf_refused = 0
        """Presses beyond what a media tick holds."""
        self._press: _Press | None = None
        self._former: ShortQueue[_Identity] = ShortQueue()
        self._changes: list[KeyChange] = []

    def receive(self, event: TelephoneEvent, timestamp: int, clock_rate: int, now: float) -> None:
        """Take in what a packet says; ``timestamp`` is its RTP timestamp modulo 2**32."""
        identity = _Identity(timestamp, event.event)
        press = self._press
        if press is None or press.identity != identity:
            if identity in self._former:
                return
            press = self._follow(press, identity, event.digit, clock_rate, now)
            if press is None:
                return
        press.heard_at = now
        press.duration = max(press.duration, event.duration)
        if event.is_end:
            self._release(press)

    def take_changes(self, now: float) -> Sequence[KeyChange]:
        """What has happened since the last media tick."""
        press = self._press
        if press is None or (press.is_up and not self._changes):
            return ()
        if now - press.heard_at > UPDATE_TIMEOUT:
            self._release(press)
        changes, self._changes = self._changes, []
        return changes

    def _follow(
        self, press: _Press | None, identity: _Identity, digit: str, clock_rate: int, now: float
    ) -> _Press | None:
        """The press that is not ``press`` any more, or is its next segment; None if there is no room for it."""
        if press is not None:
            self._former.push(press.identity, MAX_FORMER)
            if press.continues_as(identity):
                press.go_on_as(identity)
                return press
            self._release(press)
        if len(self._changes) + 2 > MAX_CHANGES:
            self._former.push(identity, MAX_FORMER)
            self.dtmf_refused += 1
            return None
        self._changes.append(KeyDown(digit))
        self._press = press = _Press(identity, clock_rate, now)
        return press

    def _release(self, press: _Press) -> None:
        if not press.is_up:
            press.is_up = True
            self._changes.append(KeyUp(press.seconds))


class TelephoneEventReader:
    """Of events at one clock rate; they hold no audio, but keys for ``keypad``. An empty payload is a keepalive."""

    __slots__ = ("_keypad", "clock_rate")

    def __init__(self, clock_rate: int, keypad: Keypad) -> None:
        self.clock_rate = clock_rate
        self._keypad = keypad

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        """No audio; see ``PayloadReader``."""
        if payload:
            event = parse_telephone_event_untrusted(payload)
            self._keypad.receive(event, timestamp & 0xFFFFFFFF, self.clock_rate, now)
        return ()
