"""A candidate pair and what is known about it, RFC 8445 §6.1.2."""

import math
from enum import Enum, auto

import msgspec

from glottis.sdp.candidate import TCP_TYPE_PREFERENCES, TYPE_PREFERENCES, Candidate
from glottis.wire.address import Address, Path, Transport


class PairState(Enum):
    """RFC 8445 §6.1.2.6."""

    FROZEN = auto()
    WAITING = auto()
    IN_PROGRESS = auto()
    SUCCEEDED = auto()
    FAILED = auto()


class CandidatePair(msgspec.Struct, eq=False):
    """One path to the peer. Times are those of the ``now`` arguments; None is never."""

    path: Path
    """From the base of the local candidate to the remote candidate: what datagrams take."""
    local: Candidate
    """Becomes peer-reflexive when the peer sees another address than the base, RFC 8445 §7.2.5.3.1."""
    remote: Candidate
    state: PairState = PairState.FROZEN
    nominated_at: float = -math.inf
    """When the controlling agent came to want the pair, which may be before it is known to work (RFC 8445 §7.3.1.5)."""
    selected: bool = False
    """Whether data goes by it."""
    nominating: bool = False
    """As controlling agent: a check with USE-CANDIDATE is under way."""
    heard_at: float | None = None
    """When the peer last proved to be there, by a check, a response, or traffic that the owner trusts."""
    media_at: float = -math.inf
    """When such traffic last came by this path."""
    doubted_at: float = -math.inf
    """When the peer was asked whether it still is there, since its media came by another path."""
    granted_at: float | None = None
    """When consent was last given: by a response, or to a lite agent, which asks nothing, by a check."""
    current_check: bytes = b""
    """Transaction of the check that decides the state; older ones are abandoned."""
    unanswered_transmissions: int = 0
    asked_at: float = -math.inf
    """When a check was last triggered that counts against the limit of those."""
    requests_sent: int = 0
    requests_received: int = 0
    responses_received: int = 0
    current_round_trip_time: float | None = None
    """Of the last check that was answered at its first transmission, as W3C's RTCIceCandidatePairStats has it."""

    @property
    def foundation(self) -> tuple[str, str]:
        """Pairs that share it are likely to share their fate.

        Not those of several addresses of the peer's: some have one foundation for all, and the first may be a dead end.
        """
        return self.local.foundation, f"{self.remote.foundation} {self.remote.address}"

    @property
    def nominated(self) -> bool:
        """Whether the controlling agent wants this pair, and it works."""
        return self.state is PairState.SUCCEEDED and self.nominated_at > -math.inf

    @property
    def is_authenticated(self) -> bool:
        """Whether the peer has proved to be at the end of this path."""
        return self.heard_at is not None

    def was_left(self, moment: float) -> bool:
        """Whether the peer was there, and has not been heard since ``moment``."""
        return self.heard_at is not None and self.heard_at < moment

    @property
    def is_doubted(self) -> bool:
        """Whether the peer has not been heard since it was asked if it still is there."""
        return self.heard_at is not None and self.doubted_at >= self.heard_at

    @property
    def is_proven(self) -> bool:
        """Whether the peer has answered a check there, which a forged source address cannot bring about."""
        return self.responses_received > 0

    @property
    def reflexive_priority(self) -> int:
        """PRIORITY of a check: that of a peer-reflexive local candidate on the same base, RFC 8445 §7.1.1."""
        preferences = TCP_TYPE_PREFERENCES if self.path.transport == "tcp" else TYPE_PREFERENCES
        return preferences["prflx"] << 24 | self.local.priority & 0xFFFFFF

    def priority(self, *, controlling: bool) -> int:
        """RFC 8445 §6.1.2.3; both agents reckon alike because each knows who is controlling."""
        local, remote = self.local.priority, self.remote.priority
        g, d = (local, remote) if controlling else (remote, local)
        return (min(g, d) << 32) + 2 * max(g, d) + (g > d)

    def has_consent(self, now: float, lifetime: float) -> bool:
        """Whether the pair is valid and the peer has lately agreed to receive along it."""
        return self.state is PairState.SUCCEEDED and self.granted_at is not None and now - self.granted_at < lifetime

    def succeed(self, now: float) -> None:
        """The peer has answered (or asked a lite agent) along this pair: it is valid and consent is fresh."""
        self.state = PairState.SUCCEEDED
        self.heard_at = self.granted_at = now
        self.unanswered_transmissions = 0


def can_meet(local: Candidate, remote: Candidate) -> bool:
    """Whether they make a pair; those of a passive one are made by the peer's checks (RFC 6544 §6.2)."""
    return local.transport == remote.transport and local.tcp_type != "passive"


def make_pair(local: Candidate, remote: Candidate) -> CandidatePair:
    """Of a base and what the peer has signalled."""
    path = Path(Address(local.address, local.port), Address(remote.address, remote.port), _transport_of(local))
    return CandidatePair(path, local, remote)


def _transport_of(base: Candidate) -> Transport:
    if base.transport == "tcp":
        return "tcp"
    return "relay" if base.type == "relay" else "udp"
