"""What an RTP session has counted, as the objects of W3C webrtc-stats."""

from glottis.contracts.statistics import (
    Counters,
    InboundRtpStats,
    OutboundRtpStats,
    RemoteInboundRtpStats,
    RemoteOutboundRtpStats,
    Statistics,
)
from glottis.rtp.header_extensions import linear_level
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.round_trip import unix_time
from glottis.rtp.rtcp_session import RtcpSession
from glottis.rtp.sender import AudioSender


def rtp_statistics(
    timestamp: float,
    receiver: AudioReceiver | None,
    sender: AudioSender | None,
    rtcp: RtcpSession | None,
    counters: Counters,
) -> Statistics:
    """The four streams, as we and the peer see them, each once there is something to tell.

    Without ``rtcp`` they are no RTP, and there is no transport. ``timestamp`` is in milliseconds since 1970,
    ``counters`` are those of the session itself.
    """
    return Statistics(
        inbound_rtp=_inbound(receiver, rtcp) if receiver is not None else None,
        outbound_rtp=_outbound(sender, rtcp) if sender is not None else None,
        remote_inbound_rtp=_remote_inbound(sender, rtcp) if sender is not None and rtcp is not None else None,
        remote_outbound_rtp=_remote_outbound(rtcp) if receiver is not None and rtcp is not None else None,
        counters=_with_sender(_with_playout(counters, receiver), sender),
        timestamp=timestamp,
    )


def _with_sender(counters: Counters, sender: AudioSender | None) -> Counters:
    if sender is None:
        return counters
    return counters.counting(comfort_noise_sent=sender.comfort_noise_sent, frames_unsent=sender.frames_unsent)


def _with_playout(counters: Counters, receiver: AudioReceiver | None) -> Counters:
    if receiver is None:
        return counters
    playout = receiver.statistics
    return counters.counting(
        packets_unknown=playout.packets_unknown,
        packets_stray=playout.packets_stray,
        packets_duplicated=playout.packets_duplicated,
        decoder_errors=playout.decoder_errors,
        recovery_attempts=playout.recovery_attempts,
        packets_recovered=playout.packets_recovered,
        red_blocks_skipped=playout.red_blocks_skipped,
        comfort_noise_received=playout.comfort_noise_received,
    )


def _transport(rtcp: RtcpSession | None) -> str | None:
    return None if rtcp is None else "transport"


def _inbound(receiver: AudioReceiver, rtcp: RtcpSession | None) -> InboundRtpStats | None:
    source, playout = receiver.source, receiver.statistics
    if source is None:
        return None
    level = receiver.extensions.audio_level if receiver.extensions is not None else None
    return InboundRtpStats(
        ssrc=source.ssrc,
        transport_id=_transport(rtcp),
        codec_id="inbound-codec",
        remote_id=None if rtcp is None or rtcp.remote_sender_report is None else "remote-outbound-rtp",
        packets_received=source.packets_received,
        bytes_received=source.bytes_received,
        packets_lost=source.packets_lost,
        jitter=source.jitter / receiver.clock_rate,
        packets_discarded=playout.packets_discarded,
        jitter_buffer_delay=playout.jitter_buffer_delay,
        jitter_buffer_target_delay=playout.jitter_buffer_target_delay,
        jitter_buffer_emitted_count=playout.jitter_buffer_emitted_count,
        total_samples_received=playout.total_samples_received,
        concealed_samples=playout.concealed_samples,
        silent_concealed_samples=playout.silent_concealed_samples,
        concealment_events=playout.concealment_events,
        fec_recovered_samples=playout.fec_recovered_samples,
        red_recovered_samples=playout.red_recovered_units * receiver.sample_rate // receiver.clock_rate,
        inserted_samples_for_deceleration=playout.inserted_samples_for_deceleration,
        removed_samples_for_acceleration=playout.removed_samples_for_acceleration,
        audio_level=None if level is None else linear_level(level),
        nack_count=None if receiver.missing is None else receiver.missing.nack_count,
    )


def _outbound(sender: AudioSender, rtcp: RtcpSession | None) -> OutboundRtpStats | None:
    if not sender.packets_sent:
        return None
    kept = None if rtcp is None else rtcp.sent_packets
    return OutboundRtpStats(
        ssrc=sender.ssrc,
        transport_id=_transport(rtcp),
        codec_id="outbound-codec",
        remote_id=None if rtcp is None or rtcp.remote_report is None else "remote-inbound-rtp",
        packets_sent=sender.packets_sent,
        bytes_sent=sender.bytes_sent,
        total_packet_send_lateness=sender.total_lateness,
        target_bitrate=sender.target_bitrate,
        fec_packets_sent=sender.fec_packets_sent,
        red_packets_sent=sender.red_packets_sent,
        nack_count=None if kept is None else kept.nack_count,
        retransmitted_packets_sent=None if kept is None else kept.resent,
        retransmitted_bytes_sent=None if kept is None else kept.resent_bytes,
        complexity=sender.complexity,
    )


def _remote_inbound(sender: AudioSender, rtcp: RtcpSession) -> RemoteInboundRtpStats | None:
    report = rtcp.remote_report
    if report is None:
        return None
    return RemoteInboundRtpStats(
        ssrc=report.ssrc,
        transport_id=_transport(rtcp),
        codec_id="outbound-codec",
        packets_lost=report.packets_lost,
        fraction_lost=report.fraction_lost,
        jitter=report.jitter / sender.clock_rate,
        total_round_trip_time=rtcp.round_trips.total,
        round_trip_time_measurements=rtcp.round_trips.measurements,
        round_trip_time=rtcp.round_trips.latest,
    )


def _remote_outbound(rtcp: RtcpSession) -> RemoteOutboundRtpStats | None:
    report = rtcp.remote_sender_report
    if report is None:
        return None
    round_trips = rtcp.receiver_round_trips
    return RemoteOutboundRtpStats(
        ssrc=report.ssrc,
        transport_id=_transport(rtcp),
        codec_id="inbound-codec",
        packets_sent=report.packet_count,
        bytes_sent=report.octet_count,
        reports_sent=rtcp.sender_reports_received,
        remote_timestamp=unix_time(report.ntp_time) * 1000,
        total_round_trip_time=round_trips.total,
        round_trip_time_measurements=round_trips.measurements,
        round_trip_time=round_trips.latest,
    )
