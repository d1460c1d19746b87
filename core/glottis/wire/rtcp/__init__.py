"""RTCP: reports, source descriptions, goodbyes, feedback and extended reports, each in a file of its own.

``parse_rtcp_untrusted`` reads compound packets and ``build_rtcp`` writes them; what is not known here is skipped.
"""

from glottis.wire.rtcp.bitrate import MaximumBitrate
from glottis.wire.rtcp.compound import (
    MAX_COMPOUND_LENGTH,
    MAX_FEEDBACK,
    MAX_PACKETS,
    RtcpPacket,
    build_rtcp,
    is_rtcp,
    parse_rtcp_untrusted,
)
from glottis.wire.rtcp.description import SourceDescription
from glottis.wire.rtcp.extended import ExtendedReport, ReferenceDelay
from glottis.wire.rtcp.framing import MAX_COUNT
from glottis.wire.rtcp.goodbye import Goodbye
from glottis.wire.rtcp.nack import Nack, nack_entries
from glottis.wire.rtcp.reports import ReceiverReport, ReportBlock, SenderReport
from glottis.wire.rtcp.transport import TransportFeedback

__all__ = [
    "MAX_COMPOUND_LENGTH",
    "MAX_COUNT",
    "MAX_FEEDBACK",
    "MAX_PACKETS",
    "ExtendedReport",
    "Goodbye",
    "MaximumBitrate",
    "Nack",
    "ReceiverReport",
    "ReferenceDelay",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "build_rtcp",
    "is_rtcp",
    "nack_entries",
    "parse_rtcp_untrusted",
]
