"""The header extensions of a call's packets: which there are, what is written into them, and what is read of them."""

from collections.abc import Callable
from typing import Final

from glottis.wire.rtp_extensions import ExtensionIds, build_extensions, parse_extensions_untrusted

SPEECH_LEVEL: Final = 55
"""What is louder than −55 dBov is told to be speech: there is no detector here, and pauses of synthetic speech are
silent."""

_SPEECH: Final = 0x80
_LEVEL: Final = 0x7F


class ExtensionWriter:
    """Writes the extensions of one stream. ``mid`` is that of its section.

    ``wants_mid`` is cleared once the peer has reported on the stream: it knows then to which section it belongs.
    ``transport_sequence`` is the number of the next packet.
    """

    __slots__ = ("_ids", "_mid", "on_sent", "transport_sequence", "wants_level", "wants_mid")

    def __init__(self, ids: ExtensionIds, mid: str | None, on_sent: Callable[[int, float], None] | None = None) -> None:
        self.wants_mid = mid is not None and ids.mid is not None
        self.transport_sequence = 0
        self.on_sent = on_sent
        """Told of each number and when it was sent."""
        self.wants_level = ids.audio_level is not None
        """Whether ``write`` has a use for the level."""
        self._ids = ids
        self._mid = (mid or "").encode()

    def write(self, now: float, level: int | None) -> bytes:
        """Of a packet that is sent ``now`` with audio of this level (−dBov, 0–127; None: none, or not known)."""
        ids = self._ids
        elements: list[tuple[int, bytes]] = []
        if ids.audio_level is not None and level is not None:
            elements.append((ids.audio_level, bytes((level | _SPEECH if level < SPEECH_LEVEL else level,))))
        if ids.absolute_send_time is not None:
            elements.append((ids.absolute_send_time, absolute_send_time(now).to_bytes(3)))
        if ids.transport_sequence is not None:
            number = self.transport_sequence
            self.transport_sequence = (number + 1) & 0xFFFF
            elements.append((ids.transport_sequence, number.to_bytes(2)))
            if self.on_sent is not None:
                self.on_sent(number, now)
        if self.wants_mid and ids.mid is not None:
            elements.append((ids.mid, self._mid))
        return build_extensions(elements)


class ExtensionReader:
    """Reads those of use here: ``audio_level`` is that of the packet read last, ``on_sequence`` is told the rest.

    Elements of other identifiers and of wrong lengths are skipped.
    """

    __slots__ = ("_ids", "audio_level", "on_sequence")

    def __init__(self, ids: ExtensionIds, on_sequence: Callable[[int, float], None] | None = None) -> None:
        self.audio_level: int | None = None
        """−dBov, 0–127."""
        self.on_sequence = on_sequence
        self._ids = ids

    def read_untrusted(self, extension: bytes, now: float) -> int | None:
        """Take in the extension of a packet that has come; returns its level, if it has one. Raises ``Malformed``."""
        elements = parse_extensions_untrusted(extension)
        ids = self._ids
        level = elements.get(ids.audio_level or 0)
        if level:
            self.audio_level = level[0] & _LEVEL
        number = elements.get(ids.transport_sequence or 0, b"")
        if len(number) == 2 and self.on_sequence is not None:
            self.on_sequence(int.from_bytes(number), now)
        return self.audio_level if level else None


def absolute_send_time(now: float) -> int:
    """Seconds modulo 64 with 18 bits of fraction; of any clock, for receivers look at differences only."""
    return int(now * (1 << 18)) & 0xFFFFFF


def linear_level(level: int) -> float:
    """0–1, as webrtc-stats have it, of −dBov; 127 is silence."""
    return 0.0 if level >= _LEVEL else float(10 ** (-level / 20))
