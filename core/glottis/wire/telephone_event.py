"""Telephone events, RFC 4733 §2.3: the payload by which pressed keys travel beside the audio."""

import struct
from typing import Final, NamedTuple

from glottis.contracts.errors import Malformed

DIGITS: Final = "0123456789*#ABCD"
"""Each at the index that is its event, RFC 4733 §3.2."""
MAX_DURATION: Final = 0xFFFF
"""Clock units that one event can tell; longer ones are told in segments (RFC 4733 §2.5.1.3)."""
DEFAULT_VOLUME: Final = 10
"""In -dBm0, as libwebrtc has it."""

_EVENT: Final = struct.Struct("!BBH")
_END: Final = 0x80
_VOLUME: Final = 0x3F


class TelephoneEvent(NamedTuple):
    """What one packet says of a key; ``duration`` is how long it has been down, in units of the RTP clock."""

    event: int
    """Which key: an index into ``DIGITS``."""
    is_end: bool
    duration: int
    volume: int = DEFAULT_VOLUME
    """In -dBm0, 0–63."""

    @property
    def digit(self) -> str:
        """What is written on the key."""
        return DIGITS[self.event]


def parse_telephone_event_untrusted(payload: bytes) -> TelephoneEvent:
    """Read the first event of a payload; raises ``Malformed``, also for one that is no key.

    Further ones, which no browser sends (RFC 4733 §2.5.1.5), are not looked at.
    """
    if len(payload) < _EVENT.size:
        raise Malformed("telephone-event: expected 4 bytes")
    event, flags, duration = _EVENT.unpack_from(payload)
    if event >= len(DIGITS):
        raise Malformed("telephone-event: expected one of the events 0–15")
    return TelephoneEvent(event, bool(flags & _END), duration, flags & _VOLUME)


def build_telephone_event(event: TelephoneEvent) -> bytes:
    """The payload of one event; numbers in their field's range."""
    return _EVENT.pack(event.event, event.volume | (_END if event.is_end else 0), event.duration)
