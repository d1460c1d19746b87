"""What RTCP may say beside reports: ``a=rtcp-fb`` (RFC 4585 §4.2) and ``a=rtcp-xr`` (RFC 3611 §5.1)."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from glottis.sdp.codecs import NegotiatedFormat
from glottis.sdp.section import Section

NACK: Final = "nack"
"""Packets that are missing, RFC 4585 §6.2.1."""
TRANSPORT_FEEDBACK: Final = "transport-cc"
"""When each packet has come: draft-holmer-rmcat-transport-wide-cc-extensions-01."""
BITRATE_FEEDBACK: Final = "goog-remb"
"""How much may be sent: draft-alvestrand-rmcat-remb-03."""
KINDS: Final = (NACK, TRANSPORT_FEEDBACK, BITRATE_FEEDBACK)
"""What is known here. ``nack pli`` and others with a parameter are about video."""

RECEIVER_RTT: Final = "rcvr-rtt=all"

MAX_LINES: Final = 128
"""Of feedback that are read of a section: several for each payload type; a browser's audio has four."""

_WILDCARD: Final = "*"


class FormatFeedback(NamedTuple):
    """One kind, for one payload type."""

    payload_type: int
    kind: str

    def __str__(self) -> str:
        return f"{self.payload_type} {self.kind}"


def agreed_feedback(section: Section, formats: Sequence[NegotiatedFormat]) -> tuple[FormatFeedback, ...]:
    """What the peer's ``section`` has for these formats and is known here; other lines are skipped."""
    told = set(_told(section))
    return tuple(
        FormatFeedback(one.payload_type, kind)
        for one in formats
        for kind in KINDS
        if (str(one.payload_type), kind) in told or (_WILDCARD, kind) in told
    )


def offered_feedback(formats: Sequence[NegotiatedFormat]) -> tuple[FormatFeedback, ...]:
    """All that there is, for all formats."""
    return tuple(FormatFeedback(one.payload_type, kind) for one in formats for kind in KINDS)


def wants_receiver_rtt(section: Section) -> bool:
    """Whether receiver reference times are to be sent and answered; ``sender`` asks the same of who sends."""
    return any("rcvr-rtt=" in value for value in section.values("rtcp-xr")[:1])


def _told(section: Section) -> Iterator[tuple[str, str]]:
    for value in section.values("rtcp-fb")[:MAX_LINES]:
        words = value.split()
        if len(words) == 2:
            yield words[0], words[1].lower()
