from glottis.calls.summary import numbers, summary
from glottis.contracts.statistics import Counters, DataChannelStats, OutboundRtpStats, Statistics

SENT = OutboundRtpStats(ssrc=1, packets_sent=7, bytes_sent=70, timestamp=0.0)
CARRIED = DataChannelStats(messages_sent=3, bytes_sent=30, messages_received=4, bytes_received=40)


def test_a_call_of_which_nothing_is_known_has_a_line_too() -> None:
    line = "packets sent 0, received 0, lost 0 (0.0%), jitter 0.0 ms, round trip unknown"
    assert numbers(Statistics()) == summary(Statistics()) == line


def test_the_log_is_told_every_counter_that_is_not_zero() -> None:
    statistics = Statistics(
        outbound_rtp=SENT, data_channel=CARRIED, counters=Counters(packets_replayed=2, events_dropped=1)
    )
    assert summary(statistics) == (
        "packets sent 7, received 0, lost 0 (0.0%), jitter 0.0 ms, round trip unknown, messagesSent 3, "
        "bytesSent 30, messagesReceived 4, bytesReceived 40, packetsReplayed 2, eventsDropped 1"
    )
