"""How long packets are: what a peer wishes, and what a codec can."""

from typing import Final, NamedTuple, Self

from glottis.contracts.codec import CodecSpec
from glottis.sdp import NegotiatedAudio, NegotiatedFormat

MAX_DIGITS: Final = 6
"""Of numbers in parameters of formats; 510000 bit/s is the largest."""
MAX_PACKET_MS: Final = 60.0
"""Longer packets would save little and cost delay; RFC 7587 §6.1 lets Opus have 120."""

MIN_SEND_PERIOD: Final = 0.005
"""Seconds; shorter packets leave several at a time, for no caller can hear the difference."""


class PacketTimes(NamedTuple):
    """What the peer wishes of the packets that it gets, in milliseconds."""

    wanted: float | None
    longest: float | None
    shortest: float

    @classmethod
    def of(cls, audio: NegotiatedAudio, sent: NegotiatedFormat) -> Self:
        """Said of the section, or of the format (RFC 7587 §6.1 has all three as parameters of Opus)."""
        told = sent.remote_parameters
        return cls(
            audio.ptime_ms or number_of(told.get("ptime")),
            audio.maxptime_ms or number_of(told.get("maxptime")),
            number_of(told.get("minptime")) or 0.0,
        )


def number_of(text: str | None) -> float | None:
    """What is a positive number of a few digits; else None."""
    is_number = text is not None and len(text) <= MAX_DIGITS and text.isascii() and text.isdigit()
    return float(text or 0) or None if is_number else None


def legal_packet_ms(codec: CodecSpec, wanted: float, longest: float | None, shortest: float = 0.0) -> float:
    """The longest frame duration of the codec up to ``wanted``, and none longer than ``longest`` (CONTRACT T5).

    ``shortest`` is obeyed where both can be.
    """
    limit = min(max(wanted, shortest), longest or MAX_PACKET_MS, MAX_PACKET_MS)
    return max((ms for ms in codec.frame_durations_ms if ms <= limit), default=min(codec.frame_durations_ms))


def packet_times(codec: CodecSpec, first: float, longest: float | None) -> list[float]:
    """Those that packets may have: the first, and longer ones for a path that turns out to be narrow."""
    most = min(longest or MAX_PACKET_MS, MAX_PACKET_MS)
    return [first, *sorted(ms for ms in codec.frame_durations_ms if first < ms <= most)]


def send_period(packet_ms: float, frame_seconds: float) -> float:
    """Seconds; see ``AudioTrack.send_period``."""
    return max(MIN_SEND_PERIOD, min(packet_ms / 1000, frame_seconds))
