"""What a ``DtlsTransport`` tells its owner."""

from enum import Enum

import msgspec

from glottis.wire.discreet import Discreet
from glottis.wire.srtp_keys import SrtpKeys


class FailureCode(Enum):
    """Why a transport failed."""

    HANDSHAKE_TIMEOUT = "HANDSHAKE_TIMEOUT"
    """The handshake, or the peer's fingerprint, did not come before the deadline."""
    FINGERPRINT_MISMATCH = "FINGERPRINT_MISMATCH"
    """The peer's certificate is not the one that its session description announced."""
    NO_SRTP_PROFILE = "NO_SRTP_PROFILE"
    """Handshake done, but without a common SRTP protection profile."""
    PROTOCOL_ERROR = "PROTOCOL_ERROR"
    """The peer ended the established connection with a fatal alert, or broke its rules; authenticated."""


class Connected(msgspec.Struct, frozen=True):
    """The peer has proved that it holds the announced certificate's key."""

    keys: SrtpKeys | None
    """None only for a transport made with ``srtp=False`` whose peer did not offer SRTP either."""


class ApplicationData(Discreet, frozen=True):
    """One record of application data, whole: one SCTP packet."""

    hidden = frozenset({"data"})

    data: bytes


class Failed(msgspec.Struct, frozen=True):
    """The transport is of no more use."""

    code: FailureCode
    reason: str
    """A sentence for a log; quotes nothing that the peer sent."""


class Closed(msgspec.Struct, frozen=True):
    """The connection has ended in order."""

    remote: bool
    """Whether the peer closed it (close_notify) or we did."""


DtlsEvent = Connected | ApplicationData | Failed | Closed
