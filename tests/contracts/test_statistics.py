from typing import Any

from glottis.contracts.statistics import (
    CandidatePairStats,
    Counters,
    DataChannelStats,
    InboundRtpStats,
    OutboundRtpStats,
    RemoteInboundRtpStats,
    Statistics,
    TransportStats,
)

CARRIED: dict[str, Any] = {
    "protocol": "",
    "state": "open",
    "messages_sent": 1,
    "bytes_sent": 2,
    "messages_received": 3,
    "bytes_received": 4,
}
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
    ),
    OutboundRtpStats(ssrc=1, packets_sent=2, bytes_sent=3),
    RemoteInboundRtpStats(
        ssrc=1,
        packets_lost=2,
        fraction_lost=0.3,
        jitter=0.4,
        total_round_trip_time=0.5,
        round_trip_time_measurements=6,
        round_trip_time=None,
    ),
    data_channels=(DataChannelStats(data_channel_identifier=3, label="chat", **CARRIED),),
    timestamp=14.0,
)


def test_clients_get_the_names_of_webrtc_stats_and_no_member_without_a_value() -> None:
    told = WHOLE.to_json()
    assert list(told) == [
        *("transport", "candidate-pair", "inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "data-channel-3"),
    ]
    assert told["transport"] == {
        "id": "transport",
        "type": "transport",
        "timestamp": 14.0,
        "iceState": "connected",
        "dtlsState": "connected",
    }
    assert told["data-channel-3"]["type"] == "data-channel"
    assert told["inbound-rtp"].items() >= {"jitter": 0.5, "totalSamplesReceived": 9, "packetsDiscarded": 6}.items()
    assert "roundTripTime" not in told["remote-inbound-rtp"]


def test_each_object_has_an_id_a_type_and_a_time_and_refers_to_others_by_their_ids() -> None:
    told = WHOLE.to_json()
    for name, members in told.items():
        assert (members["id"], members["timestamp"]) == (name, 14.0)
    assert told["remote-inbound-rtp"]["localId"] in told


def test_what_there_is_nothing_to_tell_of_is_left_out() -> None:
    assert Statistics().to_json() == {}
    counters = Counters(packets_unknown=3)
    assert Statistics(counters=counters).to_json() == {
        "counters": {"id": "counters", "type": "counters", "packetsUnknown": 3}
    }
