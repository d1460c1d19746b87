"""Statistics of a session under the names of W3C webrtc-stats (https://www.w3.org/TR/webrtc-stats/)."""

from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.rtcp_session import RtcpSession
from glottis.rtp.sender import AudioSender

Statistics = dict[str, dict[str, int | float]]
"""By type (``inbound-rtp`` …), then by member name. Times are in seconds, but ``timestamp`` is in milliseconds."""


def statistics(
    timestamp: float, receiver: AudioReceiver | None, sender: AudioSender | None, rtcp: RtcpSession
) -> Statistics:
    """``inbound-rtp``, ``outbound-rtp`` and ``remote-inbound-rtp``, each once there is something to tell.

    ``timestamp`` is in milliseconds since 1970. Round-trip time is missing before it has been measured.
    """
    result: Statistics = {}
    if receiver is not None and receiver.source is not None:
        result["inbound-rtp"] = _inbound(receiver)
    if sender is not None and sender.packets_sent:
        result["outbound-rtp"] = _outbound(sender)
    if sender is not None and rtcp.remote_report is not None:
        result["remote-inbound-rtp"] = _remote_inbound(sender, rtcp)
    for members in result.values():
        members["timestamp"] = timestamp
    return result


def _inbound(receiver: AudioReceiver) -> dict[str, int | float]:
    source, playout = receiver.source, receiver.statistics
    assert source is not None
    return {
        "ssrc": source.ssrc,
        "packetsReceived": source.packets_received,
        "bytesReceived": source.bytes_received,
        "packetsLost": source.packets_lost,
        "jitter": source.jitter / receiver.clock_rate,
        "packetsDiscarded": playout.packets_discarded,
        "jitterBufferDelay": playout.jitter_buffer_delay,
        "jitterBufferEmittedCount": playout.jitter_buffer_emitted_count,
        "totalSamplesReceived": playout.total_samples_received,
        "concealedSamples": playout.concealed_samples,
        "silentConcealedSamples": playout.silent_concealed_samples,
        "concealmentEvents": playout.concealment_events,
        "removedSamplesForAcceleration": playout.removed_samples_for_acceleration,
    }


def _outbound(sender: AudioSender) -> dict[str, int | float]:
    return {"ssrc": sender.ssrc, "packetsSent": sender.packets_sent, "bytesSent": sender.bytes_sent}


def _remote_inbound(sender: AudioSender, rtcp: RtcpSession) -> dict[str, int | float]:
    report = rtcp.remote_report
    assert report is not None
    members: dict[str, int | float] = {
        "ssrc": report.ssrc,
        "packetsLost": report.packets_lost,
        "fractionLost": report.fraction_lost,
        "jitter": report.jitter / sender.clock_rate,
        "totalRoundTripTime": rtcp.total_round_trip_time,
        "roundTripTimeMeasurements": rtcp.round_trip_time_measurements,
    }
    if rtcp.round_trip_time is not None:
        members["roundTripTime"] = rtcp.round_trip_time
    return members
