"""The engines composed to a peer connection."""

from glottis.peer.connection import PeerConnection, PeerConnectionEvent
from glottis.peer.events import ConnectionState, ConnectionStateChanged, LocalCandidate, PathAuthenticated, PeerEvent
from glottis.peer.settings import PeerSettings

__all__ = [
    "ConnectionState",
    "ConnectionStateChanged",
    "LocalCandidate",
    "PathAuthenticated",
    "PeerConnection",
    "PeerConnectionEvent",
    "PeerEvent",
    "PeerSettings",
]
