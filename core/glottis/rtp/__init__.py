"""RTP: protection, reception with jitter buffer and playout, sending, RTCP; ``RtpSession`` is the engine of a call."""

from glottis.rtp.events import ReportReceived, RtpEvent, SourceLeft
from glottis.rtp.receiver import AudioReceiver, ReceiveFormat
from glottis.rtp.report import Statistics
from glottis.rtp.rtcp_session import RtcpSession
from glottis.rtp.sender import MEDIA_TICK, AudioSender
from glottis.rtp.session import PacketProtection, RtpSession
from glottis.rtp.srtp import SrtpSession

__all__ = [
    "MEDIA_TICK",
    "AudioReceiver",
    "AudioSender",
    "PacketProtection",
    "ReceiveFormat",
    "ReportReceived",
    "RtcpSession",
    "RtpEvent",
    "RtpSession",
    "SourceLeft",
    "SrtpSession",
    "Statistics",
]
