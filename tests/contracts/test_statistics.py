from glottis.contracts.statistics import (
    CandidatePairStats,
    Counters,
    InboundRtpStats,
    OutboundRtpStats,
    RemoteInboundRtpStats,
    Statistics,
    TransportStats,
)

WHOLE = Statistics(
    TransportStats(ice_state="connected", dtls_state="connected"),
    CandidatePairStats(
        local_candidate_type="host",
        remote_candidate_type="prflx",
        protocol="udp",
        nominated=True,
        requests_received=1,
        requests_sent=2,
        responses_received=3,
        current_round_trip_time=0.1,
    ),
    InboundRtpStats(
        ssrc=1,
        packets_received=2,
        bytes_received=3,
        packets_lost=4,
        jitter=0.5,
        packets_discarded=6,
        jitter_buffer_delay=0.7,
        jitter_buffer_emitted_count=8,
        total_samples_received=9,
        concealed_samples=10,
        silent_concealed_samples=11,
        concealment_events=12,
        inserted_samples_for_deceleration=15,
        removed_samples_for_acceleration=13,
        timestamp=14.0,
    ),
    OutboundRtpStats(ssrc=1, packets_sent=2, bytes_sent=3, timestamp=4.0),
    RemoteInboundRtpStats(
        ssrc=1,
        packets_lost=2,
        fraction_lost=0.3,
        jitter=0.4,
        total_round_trip_time=0.5,
        round_trip_time_measurements=6,
        round_trip_time=None,
        timestamp=8.0,
    ),
)


def test_clients_get_the_names_of_webrtc_stats_and_no_member_without_a_value() -> None:
    assert WHOLE.to_json() == {
        "transport": {"iceState": "connected", "dtlsState": "connected"},
        "candidate-pair": {
            "localCandidateType": "host",
            "remoteCandidateType": "prflx",
            "protocol": "udp",
            "nominated": True,
            "requestsReceived": 1,
            "requestsSent": 2,
            "responsesReceived": 3,
            "currentRoundTripTime": 0.1,
        },
        "inbound-rtp": {
            "ssrc": 1,
            "packetsReceived": 2,
            "bytesReceived": 3,
            "packetsLost": 4,
            "jitter": 0.5,
            "packetsDiscarded": 6,
            "jitterBufferDelay": 0.7,
            "jitterBufferEmittedCount": 8,
            "totalSamplesReceived": 9,
            "concealedSamples": 10,
            "silentConcealedSamples": 11,
            "concealmentEvents": 12,
            "insertedSamplesForDeceleration": 15,
            "removedSamplesForAcceleration": 13,
            "timestamp": 14.0,
        },
        "outbound-rtp": {"ssrc": 1, "packetsSent": 2, "bytesSent": 3, "timestamp": 4.0},
        "remote-inbound-rtp": {
            "ssrc": 1,
            "packetsLost": 2,
            "fractionLost": 0.3,
            "jitter": 0.4,
            "totalRoundTripTime": 0.5,
            "roundTripTimeMeasurements": 6,
            "timestamp": 8.0,
        },
    }


def test_what_there_is_nothing_to_tell_of_is_left_out() -> None:
    assert Statistics().to_json() == {}
    counters = Counters(packets_unknown=3)
    assert Statistics(counters=counters).to_json() == {"counters": {"packetsUnknown": 3}}
