"""G.711 and G.722 for glottis: libspandsp, with the payload formats of RFC 3551."""

from .dtmf import DtmfDetector
from .payload import payload_duration_untrusted
from .plugin import G722, PCMA, PCMU

__all__ = ["G722", "PCMA", "PCMU", "DtmfDetector", "payload_duration_untrusted"]
