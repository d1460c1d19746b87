"""DTLS-SRTP (RFC 5763, 5764, 6347): certificate, handshake over memory BIOs, flight retransmission, SRTP keys."""

from glottis.dtls.certificate import Certificate, fingerprint_of, matches_fingerprint
from glottis.dtls.events import ApplicationData, Closed, Connected, DtlsEvent, Failed, FailureCode
from glottis.dtls.states import DtlsState
from glottis.dtls.transport import HANDSHAKE_TIMEOUT, DtlsTransport
from glottis.wire.dtls_record import MAX_APPLICATION_DATA, MTU

__all__ = [
    "HANDSHAKE_TIMEOUT",
    "MAX_APPLICATION_DATA",
    "MTU",
    "ApplicationData",
    "Certificate",
    "Closed",
    "Connected",
    "DtlsEvent",
    "DtlsState",
    "DtlsTransport",
    "Failed",
    "FailureCode",
    "fingerprint_of",
    "matches_fingerprint",
]
