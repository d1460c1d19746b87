"""What an ``RtpSession`` tells its owner."""

import msgspec


class ReportReceived(msgspec.Struct, frozen=True):
    """The peer has said how it receives our stream: the moment to call ``encoder.set_expected_loss``."""

    fraction_lost: float
    """0–1, since the peer's previous report."""
    packets_lost: int
    """Since the stream began; negative if the network has made copies."""
    jitter: float
    """Seconds, as the peer measures it."""
    round_trip_time: float | None
    """Seconds; None before a sender report of ours has come back."""


class SourceLeft(msgspec.Struct, frozen=True):
    """The peer's source has sent BYE. The track goes on if its packets do: Firefox says this when it goes on hold."""

    ssrc: int
    reason: str


class SourceRetired(msgspec.Struct, frozen=True):
    """An SSRC of the peer, the one unheard for longest, has given way to a new one. Told of the first only."""


class PathReported(msgspec.Struct, frozen=True):
    """The peer has said when each packet of ours has come."""

    packets: int
    lost: int
    """Of these, less those that were said to be lost before, and have come: so it may be negative."""
    gaps: int
    """Rows of packets in which they were lost."""
    queueing_delay: float | None
    """Seconds that the quickest took beyond the shortest way seen lately; None: all are lost."""


class BitrateLimited(msgspec.Struct, frozen=True):
    """The peer has estimated how much may be sent to it: REMB."""

    bitrate: int
    """Bits per second, with the headers of RTP and below."""


RtpEvent = ReportReceived | SourceLeft | SourceRetired | PathReported | BitrateLimited
