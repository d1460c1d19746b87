"""What an ICE agent tells its owner."""

from enum import Enum

import msgspec

from glottis.contracts.notes import Note
from glottis.wire.address import Path


class IceState(Enum):
    """Named and meant as W3C's RTCIceTransportState."""

    NEW = "new"
    """The peer's ufrag and password are not known yet."""
    CHECKING = "checking"
    CONNECTED = "connected"
    """A pair works; better ones may follow."""
    COMPLETED = "completed"
    """A pair is nominated and the peer has no more candidates."""
    DISCONNECTED = "disconnected"
    """The peer is silent; it may come back by itself."""
    FAILED = "failed"
    CLOSED = "closed"


class PathAuthenticated(msgspec.Struct, frozen=True):
    """The peer has proved, by a check or a response with valid integrity, that it is at the end of this path.

    From now on DTLS, SRTP and SRTCP may be taken from there. The event comes again when the path is proven.
    """

    path: Path
    proven: bool
    """Whether a check of ours was answered there, which a forged source address cannot bring about. A lite agent sends
    no checks and never knows."""


class PathReleased(msgspec.Struct, frozen=True):
    """The peer has left this path, or has too many: nothing is expected from there until it is authenticated anew."""

    path: Path


class PathGivenUp(msgspec.Struct, frozen=True):
    """A path that the peer had used lately has given way to another. Told of the first only."""


class SelectedPathChanged(msgspec.Struct, frozen=True):
    """Send data here from now on."""

    path: Path


class StateChanged(msgspec.Struct, frozen=True):
    """``reason`` is a phrase for logs and for the peer's owner; it is empty where the state says enough."""

    state: IceState
    reason: str = ""


IceEvent = PathAuthenticated | PathReleased | PathGivenUp | SelectedPathChanged | StateChanged | Note
