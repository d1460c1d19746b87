"""What a ``PeerConnection`` tells its owner. The events of its data channels are those of ``glottis.sctp``."""

from enum import Enum

import msgspec

from glottis.contracts.notes import Note
from glottis.sdp.candidate import Candidate
from glottis.wire.address import Path


class ConnectionState(Enum):
    """W3C's ``RTCPeerConnectionState``, whose words the values are."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class ConnectionStateChanged(msgspec.Struct, frozen=True):
    """ICE and DTLS taken together; ``reason`` is a sentence for people, empty where there is nothing to say."""

    state: ConnectionState
    reason: str = ""


class PathAuthenticated(msgspec.Struct, frozen=True):
    """From now on datagrams may be taken from this path; ``proven`` if a check of our own was answered there.

    ``selected`` if ours go by it, too, instead of the one before.
    """

    path: Path
    proven: bool
    selected: bool = False


class PathReleased(msgspec.Struct, frozen=True):
    """From now on no datagrams are to be taken from this path."""

    path: Path


class LocalCandidate(msgspec.Struct, frozen=True):
    """A candidate to trickle to the peer; those in the description are not repeated."""

    candidate: Candidate
    mid: str | None
    media_index: int
    ufrag: str


class LocalCandidatesEnded(msgspec.Struct, frozen=True):
    """There are no more to trickle (RFC 8838 §13)."""

    mid: str | None
    media_index: int
    ufrag: str


class LinesSkipped(msgspec.Struct, frozen=True):
    """Lines of the peer's description that could not be read, and were not needed so far; a phrase for each."""

    messages: tuple[str, ...]


class CandidateUnmatched(msgspec.Struct, frozen=True):
    """A trickled candidate was ignored, since it says of no section of the description that it belongs there."""


class NameSignalled(msgspec.Struct, frozen=True):
    """The peer hides behind a name of multicast DNS; see ``SignalledCandidates.add_found``."""

    candidate: Candidate


class Places(Enum):
    """What a peer may have a number of at a time."""

    PATHS = "paths"
    SOURCES = "sources"


class PlaceGivenUp(msgspec.Struct, frozen=True):
    """All places of a kind were taken, and the one unheard for longest has given way. Told once of each kind."""

    places: Places


class DatagramsRefused(msgspec.Struct, frozen=True):
    """The peer has sent more than its share, and some of it was dropped unread. Told once, by the driver."""


PeerEvent = (
    ConnectionStateChanged
    | PathAuthenticated
    | PathReleased
    | LocalCandidate
    | LocalCandidatesEnded
    | LinesSkipped
    | CandidateUnmatched
    | NameSignalled
    | PlaceGivenUp
    | DatagramsRefused
    | Note
)
