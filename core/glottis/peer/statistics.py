"""What a connection has counted, of all its engines."""

from dataclasses import replace

from glottis.contracts.statistics import CandidatePairStats, Statistics, TransportStats
from glottis.dtls import DtlsTransport
from glottis.ice import CandidatePair, IceAgent
from glottis.rtp import RtpSession


def collect(agent: IceAgent, transport: DtlsTransport, session: RtpSession, now: float) -> Statistics:
    """``transport``, ``candidate_pair`` if there is one, and what ``RtpSession.statistics`` has."""
    return replace(
        session.statistics(now),
        transport=TransportStats(ice_state=agent.state.value, dtls_state=transport.state.value),
        candidate_pair=_candidate_pair(agent.selected_pair) if agent.selected_pair is not None else None,
    )


def _candidate_pair(pair: CandidatePair) -> CandidatePairStats:
    return CandidatePairStats(
        local_candidate_type=pair.local.type,
        remote_candidate_type=pair.remote.type,
        nominated=pair.nominated,
        requests_received=pair.requests_received,
        requests_sent=pair.requests_sent,
        responses_received=pair.responses_received,
        current_round_trip_time=pair.current_round_trip_time,
    )
