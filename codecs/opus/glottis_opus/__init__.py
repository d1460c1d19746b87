"""Opus for glottis: libopus (RFC 6716) with the RTP payload format of RFC 7587."""

from .decoder import OpusDecoder
from .encoder import OpusEncoder
from .library import VERSION
from .packet import payload_duration_untrusted
from .plugin import OPUS

__all__ = ["OPUS", "VERSION", "OpusDecoder", "OpusEncoder", "payload_duration_untrusted"]
