"""How far a connection has come, as a person asks who looks for the reason of a failure."""

from typing import Self

import msgspec

from glottis.dtls import DtlsState
from glottis.ice import CandidatePair, IceState, PairState
from glottis.peer.transport import PeerTransport
from glottis.sdp import Candidate


class PairReport(msgspec.Struct, frozen=True):
    """A candidate pair at a moment."""

    path: str
    state: PairState
    nominated: bool
    selected: bool
    checks_sent: int
    checks_received: int
    responses_received: int
    round_trip: float | None
    """In seconds."""

    def __str__(self) -> str:
        marks = ", nominated" * self.nominated + ", in use" * self.selected
        round_trip = "" if self.round_trip is None else f", {self.round_trip * 1000:.0f} ms"
        counts = (
            f"{self.checks_sent} requests sent, {self.responses_received} answered, {self.checks_received} received"
        )
        return f"{self.path}: {self.state.name.lower().replace('_', ' ')}{marks}; {counts}{round_trip}"


class Connectivity(msgspec.Struct, frozen=True):
    """Of a connection at a moment. Candidates are those that could be used, if not by us."""

    ice: IceState
    dtls: DtlsState
    is_described: bool
    local: tuple[Candidate, ...]
    remote: tuple[Candidate, ...]
    ignored_candidates: int
    pairs: tuple[PairReport, ...]
    strange_datagrams: int
    """Of STUN, which were not the peer's."""

    @classmethod
    def of(cls, transport: PeerTransport) -> Self:
        """As things are now."""
        ice = transport.ice
        return cls(
            ice=ice.state,
            dtls=transport.dtls.state,
            is_described=transport.is_described,
            local=ice.local_candidates,
            remote=ice.remote_candidates,
            ignored_candidates=ice.ignored_candidates,
            pairs=tuple(map(_report, ice.pairs())),
            strange_datagrams=ice.dropped_datagrams,
        )


def _report(pair: CandidatePair) -> PairReport:
    return PairReport(
        path=f"{pair.path} ({pair.local.type}, {pair.remote.type})",
        state=pair.state,
        nominated=pair.nominated,
        selected=pair.selected,
        checks_sent=pair.requests_sent,
        checks_received=pair.requests_received,
        responses_received=pair.responses_received,
        round_trip=pair.current_round_trip_time,
    )
