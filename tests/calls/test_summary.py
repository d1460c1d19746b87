from glottis.calls.summary import numbers, summary
from glottis.contracts.statistics import Counters, OutboundRtpStats, PeerConnectionStats, Statistics

SENT = OutboundRtpStats(ssrc=1, packets_sent=7, bytes_sent=70)
CARRIED = PeerConnectionStats(
    data_channels_opened=1,
    data_channels_closed=0,
    messages_sent=3,
    bytes_sent=30,
    messages_received=4,
    bytes_received=40,
)


def test_a_call_of_which_nothing_is_known_has_a_line_too() -> None:
    line = "packets sent 0, received 0, lost 0 (0.0%), jitter 0.0 ms, round trip unknown"
    assert numbers(Statistics()) == summary(Statistics()) == line


def test_the_log_is_told_every_counter_that_is_not_zero() -> None:
    statistics = Statistics(
        outbound_rtp=SENT, peer_connection=CARRIED, counters=Counters(packets_replayed=2, events_dropped=1)
    )
    assert summary(statistics) == (
        "packets sent 7, received 0, lost 0 (0.0%), jitter 0.0 ms, round trip unknown, "
        "dataChannelsOpened 1, messagesSent 3, bytesSent 30, messagesReceived 4, bytesReceived 40, packetsReplayed 2, "
        "eventsDropped 1"
    )
