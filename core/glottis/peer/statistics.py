"""What a connection has counted, of all its engines."""

from dataclasses import replace

from glottis.contracts.statistics import CandidatePairStats, DataChannelStats, Statistics, TransportStats
from glottis.dtls import DtlsTransport
from glottis.ice import CandidatePair, IceTransport
from glottis.peer.audio import AudioTrack
from glottis.sctp import DataChannels
from glottis.sctp.traffic import Traffic


def collect(
    ice: IceTransport, transport: DtlsTransport, voice: AudioTrack, channels: DataChannels | None, now: float
) -> Statistics:
    """``transport``, what there is of pair and channels, and what ``RtpSession.statistics`` has."""
    statistics = voice.session.statistics(now)
    return replace(
        statistics,
        transport=TransportStats(ice_state=ice.state.value, dtls_state=transport.state.value),
        candidate_pair=_candidate_pair(ice.selected_pair, voice.available_bitrate)
        if ice.selected_pair is not None
        else None,
        data_channel=_data_channel(channels.traffic) if channels is not None else None,
        counters=statistics.counters.counting(
            ice_datagrams_dropped=ice.dropped_datagrams,
            paths_given_up=ice.paths_given_up,
            ice_candidates_ignored=ice.ignored_candidates,
            dtls_datagrams_discarded=transport.discarded_datagrams,
            dtmf_refused=voice.keypad.dtmf_refused,
            sctp_packets_malformed=channels.association.malformed_packets if channels is not None else 0,
        ),
    )


def _data_channel(traffic: Traffic) -> DataChannelStats:
    return DataChannelStats(
        messages_sent=traffic.messages_sent,
        bytes_sent=traffic.bytes_sent,
        messages_received=traffic.messages_received,
        bytes_received=traffic.bytes_received,
    )


def _candidate_pair(pair: CandidatePair, available_bitrate: float | None) -> CandidatePairStats:
    return CandidatePairStats(
        local_candidate_type=pair.local.type,
        remote_candidate_type=pair.remote.type,
        protocol=pair.path.transport,
        nominated=pair.nominated,
        requests_received=pair.requests_received,
        requests_sent=pair.requests_sent,
        responses_received=pair.responses_received,
        current_round_trip_time=pair.current_round_trip_time,
        available_outgoing_bitrate=available_bitrate,
    )
