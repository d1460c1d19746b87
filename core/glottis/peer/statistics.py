"""What a connection has counted, of all its engines."""

from dataclasses import replace

from glottis.contracts.statistics import CandidatePairStats, Statistics, TransportStats
from glottis.dtls import DtlsTransport
from glottis.ice import CandidatePair, IceAgent
from glottis.rtp import RtpSession
from glottis.sctp import DataChannels


def collect(
    agent: IceAgent, transport: DtlsTransport, session: RtpSession, channels: DataChannels | None, now: float
) -> Statistics:
    """``transport``, ``candidate_pair`` if there is one, and what ``RtpSession.statistics`` has."""
    statistics = session.statistics(now)
    return replace(
        statistics,
        transport=TransportStats(ice_state=agent.state.value, dtls_state=transport.state.value),
        candidate_pair=_candidate_pair(agent.selected_pair) if agent.selected_pair is not None else None,
        counters=replace(
            statistics.counters,
            ice_datagrams_dropped=agent.dropped_datagrams,
            paths_given_up=agent.paths_given_up,
            ice_candidates_ignored=agent.ignored_candidates,
            dtls_datagrams_discarded=transport.discarded_datagrams,
            sctp_packets_malformed=channels.association.malformed_packets if channels is not None else 0,
        ),
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
