"""RTP: protection, reception with jitter buffer and playout, sending, RTCP; ``RtpSession`` is the engine of a call."""

from glottis.rtp.adaptive_delay import AdaptiveDelay
from glottis.rtp.comfort_noise import Background, ComfortNoiseReader
from glottis.rtp.counters import PlayoutStatistics
from glottis.rtp.delay import DelayPolicy, FixedDelay
from glottis.rtp.events import BitrateLimited, PathReported, ReportReceived, RtpEvent, SourceLeft, SourceRetired
from glottis.rtp.feedback import Feedback
from glottis.rtp.found_keys import FoundKeys
from glottis.rtp.keys import KeyChange, KeyDown, Keypad, KeyUp, TelephoneEventReader
from glottis.rtp.level import SILENCE
from glottis.rtp.pauses import Pauses
from glottis.rtp.payload import (
    MAX_PACKET_DURATION,
    MAX_PAYLOAD_LENGTH,
    PacketWatch,
    PayloadReader,
    PayloadWriter,
    PlainReader,
    PlainWriter,
)
from glottis.rtp.protector import Protector
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.redundancy import RedReader, RedWriter
from glottis.rtp.rtcp_session import RtcpSession
from glottis.rtp.sender import AudioSender
from glottis.rtp.session import PacketProtection, RtpSession, Taken
from glottis.rtp.srtp import MAX_SSRCS, SrtpSession
from glottis.rtp.taps import Taps
from glottis.rtp.tones import EventFormat, Tone

__all__ = [
    "MAX_PACKET_DURATION",
    "MAX_PAYLOAD_LENGTH",
    "MAX_SSRCS",
    "SILENCE",
    "AdaptiveDelay",
    "AudioReceiver",
    "AudioSender",
    "Background",
    "BitrateLimited",
    "ComfortNoiseReader",
    "DelayPolicy",
    "EventFormat",
    "Feedback",
    "FixedDelay",
    "FoundKeys",
    "KeyChange",
    "KeyDown",
    "KeyUp",
    "Keypad",
    "PacketProtection",
    "PacketWatch",
    "PathReported",
    "Pauses",
    "PayloadReader",
    "PayloadWriter",
    "PlainReader",
    "PlainWriter",
    "PlayoutStatistics",
    "Protector",
    "RedReader",
    "RedWriter",
    "ReportReceived",
    "RtcpSession",
    "RtpEvent",
    "RtpSession",
    "SourceLeft",
    "SourceRetired",
    "SrtpSession",
    "Taken",
    "Taps",
    "TelephoneEventReader",
    "Tone",
]
