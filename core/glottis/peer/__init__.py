"""The engines composed to a peer connection."""

from glottis.peer.connection import PeerConnection, PeerConnectionEvent
from glottis.peer.connectivity import Connectivity, PairReport
from glottis.peer.events import (
    CandidateUnmatched,
    ConnectionState,
    ConnectionStateChanged,
    DatagramsRefused,
    LinesSkipped,
    LocalCandidate,
    LocalCandidatesEnded,
    NameSignalled,
    PathAuthenticated,
    PathReleased,
    PeerEvent,
    PlaceGivenUp,
    Places,
)
from glottis.peer.negotiator import AnotherPeer
from glottis.peer.settings import PeerSettings

__all__ = [
    "AnotherPeer",
    "CandidateUnmatched",
    "ConnectionState",
    "ConnectionStateChanged",
    "Connectivity",
    "DatagramsRefused",
    "LinesSkipped",
    "LocalCandidate",
    "LocalCandidatesEnded",
    "NameSignalled",
    "PairReport",
    "PathAuthenticated",
    "PathReleased",
    "PeerConnection",
    "PeerConnectionEvent",
    "PeerEvent",
    "PeerSettings",
    "PlaceGivenUp",
    "Places",
]
