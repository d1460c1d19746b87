"""What a connection has counted, of all its engines."""

from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from glottis.contracts.statistics import (
    CandidatePairStats,
    CertificateStats,
    CodecStats,
    DataChannelStats,
    LocalCandidateStats,
    PeerConnectionStats,
    RemoteCandidateStats,
    Statistics,
    TransportStats,
)
from glottis.dtls import DtlsTransport
from glottis.ice import CandidatePair, IceTransport
from glottis.peer.audio import AudioTrack
from glottis.sctp import ChannelState, DataChannel, DataChannels
from glottis.sctp.traffic import Traffic
from glottis.sdp import Candidate, Fingerprint, NegotiatedFormat

MAX_CHANNELS: Final = 16
"""Data channels that have an object of their own: of all others the sums tell."""
REMEMBERED: Final = 1024
"""Objects of what stays as it is in most calls: to make them anew every five seconds would cost more than all else."""
MAX_TEXT: Final = 128
"""Characters of what the peer has named or described, which may be much longer."""


def collect(
    ice: IceTransport, transport: DtlsTransport, voice: AudioTrack, channels: DataChannels | None, now: float
) -> Statistics:
    """``transport``, what there is of pair and channels, and what ``RtpSession.statistics`` has."""
    statistics = voice.session.statistics(now)
    pair = ice.selected_pair
    return replace(
        statistics,
        transport=_transport(ice, transport),
        candidate_pair=_candidate_pair(pair, voice.available_bitrate) if pair is not None else None,
        inbound_codec=_codec(voice.format_received) if statistics.inbound_rtp is not None else None,
        outbound_codec=_codec(voice.format_in_use) if statistics.outbound_rtp is not None else None,
        local_candidate=_local_candidate(pair.local) if pair is not None else None,
        remote_candidate=_remote_candidate(pair.remote) if pair is not None else None,
        local_certificate=_certificate(transport.local_fingerprint),
        remote_certificate=_certificate(transport.remote_fingerprint),
        peer_connection=_peer_connection(channels) if channels is not None else None,
        data_channels=tuple(map(_data_channel, islice(channels.table, MAX_CHANNELS))) if channels is not None else (),
        counters=statistics.counters.counting(
            ice_datagrams_dropped=ice.dropped_datagrams,
            paths_given_up=ice.paths_given_up,
            ice_candidates_ignored=ice.ignored_candidates,
            dtls_datagrams_discarded=transport.discarded_datagrams,
            dtmf_refused=voice.keypad.dtmf_refused,
            sctp_packets_malformed=channels.association.malformed_packets if channels is not None else 0,
        ),
    )


def _transport(ice: IceTransport, dtls: DtlsTransport) -> TransportStats:
    return TransportStats(
        ice_state=ice.state.value,
        ice_role="controlling" if ice.controlling else "controlled",
        dtls_state=dtls.state.value,
        dtls_role="client" if dtls.is_client else "server",
        srtp_cipher=dtls.srtp_profile.name if dtls.srtp_profile is not None else None,
        selected_candidate_pair_id="candidate-pair" if ice.selected_pair is not None else None,
        local_certificate_id="local-certificate",
        remote_certificate_id="remote-certificate" if dtls.remote_fingerprint is not None else None,
    )


@lru_cache(REMEMBERED)
def _certificate(fingerprint: Fingerprint | None) -> CertificateStats | None:
    if fingerprint is None:
        return None
    return CertificateStats(fingerprint=fingerprint.value, fingerprint_algorithm=fingerprint.hash_function)


def _codec(negotiated: NegotiatedFormat | None) -> CodecStats | None:
    if negotiated is None:
        return None
    parameters = ";".join(f"{name}={value}" for name, value in negotiated.remote_parameters.items())
    return CodecStats(
        transport_id="transport",
        payload_type=negotiated.payload_type,
        mime_type=f"audio/{negotiated.encoding_name}",
        clock_rate=negotiated.clock_rate,
        channels=negotiated.rtpmap.channels,
        sdp_fmtp_line=parameters[:MAX_TEXT] or None,
    )


@lru_cache(REMEMBERED)
def _local_candidate(candidate: Candidate) -> LocalCandidateStats:
    return LocalCandidateStats(**_members(candidate))


@lru_cache(REMEMBERED)
def _remote_candidate(candidate: Candidate) -> RemoteCandidateStats:
    return RemoteCandidateStats(**_members(candidate))


def _members(candidate: Candidate) -> dict[str, Any]:
    """Of its ``LocalCandidateStats``, or ``RemoteCandidateStats``."""
    return {
        "transport_id": "transport",
        "address": candidate.address,
        "port": candidate.port,
        "protocol": candidate.transport,
        "candidate_type": candidate.type,
        "priority": candidate.priority,
        "foundation": candidate.foundation,
        "related_address": candidate.related_address,
        "related_port": candidate.related_port,
        "tcp_type": candidate.tcp_type,
    }


def _carried(traffic: Traffic) -> dict[str, int]:
    return {
        "messages_sent": traffic.messages_sent,
        "bytes_sent": traffic.bytes_sent,
        "messages_received": traffic.messages_received,
        "bytes_received": traffic.bytes_received,
    }


def _peer_connection(channels: DataChannels) -> PeerConnectionStats:
    opened = channels.table.data_channels_opened
    return PeerConnectionStats(
        data_channels_opened=opened,
        data_channels_closed=opened - sum(channel.state is ChannelState.OPEN for channel in channels.table),
        **_carried(channels.traffic),
    )


def _data_channel(channel: DataChannel) -> DataChannelStats:
    return DataChannelStats(
        data_channel_identifier=channel.id,
        label=channel.label[:MAX_TEXT],
        protocol=channel.protocol[:MAX_TEXT],
        state=channel.state.value,
        **_carried(channel.traffic),
    )


def _candidate_pair(pair: CandidatePair, available_bitrate: float | None) -> CandidatePairStats:
    return CandidatePairStats(
        state=pair.state.name.lower().replace("_", "-"),
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
