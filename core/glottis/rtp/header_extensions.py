"""The header extensions of a call's packets: which there are, what is written into them, and what is read of them.

Of one stream they are nearly always laid out alike. So an extension is taken as a large number, in which what varies
has its place: it is put together, or taken apart, anew only where the layout changes.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from glottis.wire.rtp_extensions import ExtensionIds, build_extensions, find_extensions_untrusted

SPEECH_LEVEL: Final = 55
"""What is louder than −55 dBov is told to be speech: there is no detector here, and pauses of synthetic speech are
silent."""

_SPEECH: Final = 0x80
_LEVEL: Final = 0x7F
_NUMBER: Final = 0xFFFF
_NUMBER_LENGTH: Final = 2
_TIME_LENGTH: Final = 3


class _Layout(NamedTuple):
    """Of an extension of ``size`` bytes: in the bits of ``mask`` it is ``fixed``, whatever the values are.

    These are so many bits from its end; None: not there.
    """

    size: int
    mask: int
    fixed: int
    level_at: int | None
    send_time_at: int | None
    number_at: int | None


class ExtensionWriter:
    """Writes the extensions of one stream. ``mid`` is that of its section.

    ``wants_mid`` is cleared once the peer has reported on the stream: it knows then to which section it belongs.
    ``transport_sequence`` is the number of the next packet; ``on_sent`` is told of each, and when it was sent.
    """

    __slots__ = (
        "_ids",
        "_layouts",
        "_layouts_with_mid",
        "_mid",
        "_on_sent",
        "transport_sequence",
        "wants_level",
        "wants_mid",
    )

    def __init__(self, ids: ExtensionIds, mid: str | None, on_sent: Callable[[int, float], None]) -> None:
        self.wants_mid = mid is not None and ids.mid is not None
        self.transport_sequence = 0
        self.wants_level = ids.audio_level is not None
        """Whether ``write`` has a use for the level."""
        self._on_sent = on_sent
        self._ids = ids
        self._mid = (mid or "").encode()
        self._layouts: list[_Layout | None] = [None, None]
        """Without and with the level."""
        self._layouts_with_mid: list[_Layout | None] = [None, None]

    def write(self, now: float, level: int | None) -> bytes:
        """Of a packet that is sent ``now`` with audio of this level (−dBov, 0–127; None: none, or not known)."""
        layouts = self._layouts_with_mid if self.wants_mid else self._layouts
        layout = layouts[level is not None] or self._lay_out(layouts, level is not None)
        size, _, packed, level_at, send_time_at, number_at = layout
        if level_at is not None and level is not None:
            packed |= (level | _SPEECH if level < SPEECH_LEVEL else level) << level_at
        if send_time_at is not None:
            packed |= absolute_send_time(now) << send_time_at
        if number_at is not None:
            number = self.transport_sequence
            self.transport_sequence = (number + 1) & _NUMBER
            packed |= number << number_at
            self._on_sent(number, now)
        return packed.to_bytes(size)

    def _lay_out(self, layouts: list[_Layout | None], has_level: bool) -> _Layout:
        ids = self._ids
        elements: list[tuple[int, bytes]] = []
        if ids.audio_level is not None and has_level:
            elements.append((ids.audio_level, bytes(1)))
        if ids.absolute_send_time is not None:
            elements.append((ids.absolute_send_time, bytes(_TIME_LENGTH)))
        if ids.transport_sequence is not None:
            elements.append((ids.transport_sequence, bytes(_NUMBER_LENGTH)))
        if ids.mid is not None and self.wants_mid:
            elements.append((ids.mid, self._mid))
        layout = _layout_of_untrusted(build_extensions(elements, two_byte=ids.need_two_bytes), ids)
        layouts[has_level] = layout
        return layout


class ExtensionReader:
    """Reads those of use here: ``audio_level`` is that of the packet read last, ``on_sequence`` is told the rest.

    Elements of other identifiers and of wrong lengths are skipped.
    """

    __slots__ = ("_ids", "_layout", "_on_sequence", "audio_level")

    def __init__(self, ids: ExtensionIds, on_sequence: Callable[[int, float], None]) -> None:
        self.audio_level: int | None = None
        """−dBov, 0–127."""
        self._on_sequence = on_sequence
        self._ids = ids
        self._layout = _layout_of_untrusted(b"", ids)
        """That of the extension read last."""

    def read_untrusted(self, extension: bytes, now: float) -> int | None:
        """Take in the extension of a packet that has come; returns its level, if it has one. Raises ``Malformed``."""
        packed = int.from_bytes(extension)
        size, mask, fixed, level_at, _, number_at = self._layout
        if packed & mask != fixed or len(extension) != size:
            self._layout = _layout_of_untrusted(extension, self._ids)
            level_at, number_at = self._layout.level_at, self._layout.number_at
        if number_at is not None:
            self._on_sequence(packed >> number_at & _NUMBER, now)
        if level_at is None:
            return None
        self.audio_level = level = packed >> level_at & _LEVEL
        return level


def absolute_send_time(now: float) -> int:
    """Seconds modulo 64 with 18 bits of fraction; of any clock, for receivers look at differences only."""
    return int(now * (1 << 18)) & 0xFFFFFF


def linear_level(level: int) -> float:
    """0–1, as webrtc-stats have it, of −dBov; 127 is silence."""
    return 0.0 if level >= _LEVEL else float(10 ** (-level / 20))


def _layout_of_untrusted(extension: bytes, ids: ExtensionIds) -> _Layout:
    """Raises ``Malformed``. Of elements with another length than theirs the values are not there."""
    places, size = find_extensions_untrusted(extension), len(extension)
    mask = bytearray(b"\xff") * size

    def found(number: int | None, length: int) -> int | None:
        place = None if number is None else places.get(number)
        if place is None or place.stop - place.start != length:
            return None
        mask[place] = bytes(length)
        return 8 * (size - int(place.stop))

    level = found(ids.audio_level, 1)
    send_time = found(ids.absolute_send_time, _TIME_LENGTH)
    number = found(ids.transport_sequence, _NUMBER_LENGTH)
    fixed = int.from_bytes(mask) & int.from_bytes(extension)
    return _Layout(size, int.from_bytes(mask), fixed, level, send_time, number)
