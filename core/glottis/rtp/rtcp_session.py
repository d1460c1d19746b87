"""The RTCP side of a call: reports and feedback out and in, round-trip times, goodbyes. Plain packets."""

import random
from collections.abc import Callable
from typing import Final

from glottis.contracts.short_queue import ShortQueue
from glottis.rtp.arrivals import ArrivalLog
from glottis.rtp.departures import Departures
from glottis.rtp.events import BitrateLimited, PathReported, ReportReceived, RtpEvent, SourceLeft
from glottis.rtp.feedback import NO_FEEDBACK
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.retransmission import SentPackets
from glottis.rtp.round_trip import RoundTrips, elapsed, middle
from glottis.rtp.sender import AudioSender
from glottis.wire.rtcp import (
    ExtendedReport,
    Goodbye,
    MaximumBitrate,
    Nack,
    ReceiverReport,
    ReferenceDelay,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_rtcp,
    nack_entries,
    parse_rtcp_untrusted,
)

REPORT_INTERVAL: Final = 2.5
"""Seconds between reports, on average: below 0.5 kbit/s, where the feedback profile lets 5 % of the bandwidth be spent
and knows no minimum interval (RFC 4585)."""
FIRST_REPORT: Final = 0.5
"""Seconds to the first report, and to the one that answers the peer's first, on average: losses and the round-trip time
are wanted early."""
SENDER_INTERVALS: Final = 2
"""Who has sent since the second previous report is a sender (RFC 3550 §6.4)."""
MAX_EVENTS: Final = 16
"""Events wait for an owner that does not ask; the oldest are dropped, for reports are superseded."""


class RtcpSession:
    """Reports of one call between two parties.

    ``wallclock_offset`` gives seconds since 1970 less ``now``, and is asked for each report: a clock that is set in the
    middle of a call is followed, and disturbs no measurement, for those are made of ``now``. ``sender`` and
    ``receiver`` may be replaced or None, as the directions of the call are.
    """

    def __init__(
        self,
        *,
        ssrc: int,
        cname: str,
        rng: random.Random,
        wallclock_offset: Callable[[], float],
        sender: AudioSender | None = None,
        receiver: AudioReceiver | None = None,
    ) -> None:
        self.sender = sender
        self.receiver = receiver
        self.remote_report: ReportBlock | None = None
        """The peer's latest report about our stream."""
        self.round_trips = RoundTrips(wallclock_offset)
        """Of our sender reports."""
        self.receiver_round_trips = RoundTrips(wallclock_offset)
        """Of the reference times that we send while we have no sender reports to send."""
        self.remote_sender_report: SenderReport | None = None
        """The latest of the stream that we receive."""
        self.sender_reports_received = 0
        self.feedback = NO_FEEDBACK
        """What was agreed on."""
        self.arrivals = ArrivalLog()
        """Of the packets that we receive, for transport-wide feedback."""
        self.departures = Departures()
        """Of those that we send."""
        self.sent_packets: SentPackets | None = None
        """Which may be asked for again."""
        self.outbox: list[bytes] = []
        """What ``datagrams_to_send`` gives; each media tick looks whether there is any."""
        self.resent: list[bytes] = []
        """Protected packets that are to be sent again; the owner takes them."""
        self._ssrc = ssrc
        self._cname = cname
        self._rng = rng
        self._deadline: float | None = None
        self._report_times: ShortQueue[float] = ShortQueue()
        self._last_sender_report: tuple[int, int, float] | None = None
        """Source, middle of its NTP time, and when it came."""
        self._last_reference_time: tuple[int, int, float] | None = None
        """The same of a receiver's reference time."""
        self._events: ShortQueue[RtpEvent] = ShortQueue()

    def start(self, now: float) -> None:
        """Begin to report."""
        self._report_times.push(now, SENDER_INTERVALS)
        self._deadline = now + self._randomised(FIRST_REPORT)

    def close(self, now: float, reason: str = "") -> None:
        """Say goodbye, once, and report no more."""
        if self._deadline is not None:
            self._deadline = None
            self.outbox.append(build_rtcp([*self._report(now), Goodbye((self._ssrc,), reason)]))

    def handle_datagram(self, data: bytes, now: float) -> bool:
        """Take in a compound packet; raises ``Malformed``. What is about sources unknown here is ignored.

        Says whether there is something to send, or another timeout, or whether whoever sent may have left: mostly there
        are events at most.
        """
        deadline, has_left = self._deadline, False
        for packet in parse_rtcp_untrusted(data):
            match packet:
                case SenderReport():
                    self._note_sender_report(packet, now)
                    self._take_report_blocks(packet.report_blocks, now)
                case ReceiverReport():
                    self._take_report_blocks(packet.report_blocks, now)
                case Goodbye():
                    has_left |= self._take_goodbye(packet)
                case Nack() if self.sent_packets is not None and packet.media_ssrc == self._ssrc:
                    self.resent += self.sent_packets.requested(packet, now)
                case TransportFeedback() if self.feedback.transport:
                    report = self.departures.reported(packet, now)
                    if report is not None:
                        self._events.push(PathReported(*report), MAX_EVENTS)
                case MaximumBitrate() if self.sender is not None:
                    self._events.push(BitrateLimited(packet.bitrate), MAX_EVENTS)
                case ExtendedReport() if self.feedback.receiver_rtt:
                    self._take_extended_report(packet, now)
        return has_left or bool(self.outbox or self.resent) or self._deadline != deadline

    def handle_timeout(self, now: float) -> None:
        if self._deadline is None or now < self._deadline:
            return
        self.outbox.append(build_rtcp(self._report(now)))
        self._report_times.push(now, SENDER_INTERVALS)
        self._deadline = now + self._randomised(REPORT_INTERVAL)

    def next_timeout(self) -> float | None:
        return self._deadline

    def datagrams_to_send(self) -> list[bytes]:
        outbox, self.outbox = self.outbox, []
        return outbox

    def request_missing(self, now: float) -> bool:
        """Ask for lost packets that can still come in time; says whether there are any."""
        receiver = self.receiver
        if receiver is None or receiver.missing is None or receiver.source is None or self.round_trip_time is None:
            return False
        lost = receiver.missing.take_due(now, self.round_trip_time, receiver.delay.target)
        if lost:
            nack = Nack(self._ssrc, receiver.source.ssrc, nack_entries(number & 0xFFFF for number in lost))
            self.outbox.append(self._feedback(nack, now))
        return bool(lost)

    def tell_arrivals(self, now: float) -> None:
        """Give transport-wide feedback, which is due."""
        source = self.receiver.source if self.receiver is not None else None
        if source is not None:
            self.outbox.append(self._feedback(self.arrivals.take(self._ssrc, source.ssrc), now))

    @property
    def round_trip_time(self) -> float | None:
        """Seconds, the latest measurement of either kind."""
        latest = self.round_trips.latest
        return self.receiver_round_trips.latest if latest is None else latest

    def next_event(self) -> RtpEvent | None:
        return self._events.popleft() if self._events else None

    def _randomised(self, seconds: float) -> float:
        """Between half and one and a half times, "to avoid unintended synchronization" (RFC 3550 §6.2)."""
        return seconds * self._rng.uniform(0.5, 1.5)

    def _feedback(self, packet: RtcpPacket, now: float) -> bytes:
        """By itself where that was agreed on, else behind a report (RFC 5506 §3.4.2)."""
        return build_rtcp([packet] if self.feedback.reduced_size else [*self._report(now), packet])

    def _report(self, now: float) -> list[RtcpPacket]:
        blocks = self._report_blocks(now)
        sender_report = self._sender_report(blocks, now)
        report = sender_report or ReceiverReport(self._ssrc, blocks)
        extended = self._extended_report(now, is_sender=sender_report is not None)
        return [report, SourceDescription(((self._ssrc, self._cname),)), *extended]

    def _extended_report(self, now: float, *, is_sender: bool) -> list[RtcpPacket]:
        """A reference time where no sender report has one, and the answer to the peer's."""
        if not self.feedback.receiver_rtt:
            return []
        reference_time = None if is_sender else self.receiver_round_trips.date(now)
        delays: tuple[ReferenceDelay, ...] = ()
        if self._last_reference_time is not None:
            ssrc, reference, came_at = self._last_reference_time
            delays = (ReferenceDelay(ssrc, reference, elapsed(came_at, now)),)
            self._last_reference_time = None
        return [ExtendedReport(self._ssrc, reference_time, delays)] if reference_time or delays else []

    def _take_extended_report(self, report: ExtendedReport, now: float) -> None:
        if report.reference_time is not None:
            self._last_reference_time = report.ssrc, middle(report.reference_time), now
        for delay in report.delays:
            if delay.ssrc == self._ssrc:
                self.receiver_round_trips.measure(delay.last_reference_time, delay.delay_since_last_reference_time, now)

    def _sender_report(self, blocks: tuple[ReportBlock, ...], now: float) -> SenderReport | None:
        sender = self.sender
        if sender is None or sender.last_sent_at is None or sender.last_sent_at < self._report_times[0]:
            return None
        return SenderReport(
            self._ssrc,
            self.round_trips.date(now),
            sender.rtp_timestamp_at(now),
            sender.packets_sent & 0xFFFFFFFF,
            sender.bytes_sent & 0xFFFFFFFF,
            blocks,
        )

    def _report_blocks(self, now: float) -> tuple[ReportBlock, ...]:
        source = self.receiver.source if self.receiver is not None else None
        if source is None:
            return ()
        last_sender_report, delay = self._since_sender_report(source.ssrc, now)
        block = ReportBlock(
            source.ssrc,
            source.take_fraction_lost(),
            source.packets_lost_reported,
            source.highest_sequence_number,
            min(0xFFFFFFFF, int(source.jitter)),
            last_sender_report,
            delay,
        )
        return (block,)

    def _since_sender_report(self, ssrc: int, now: float) -> tuple[int, int]:
        """The fields from which the source computes its round-trip time; zeros if it has not reported."""
        if self._last_sender_report is None or self._last_sender_report[0] != ssrc:
            return 0, 0
        _, reference, arrived_at = self._last_sender_report
        return reference, elapsed(arrived_at, now)

    def _note_sender_report(self, report: SenderReport, now: float) -> None:
        if self._is_our_source(report.ssrc):
            if self._last_sender_report is None and self._deadline is not None:
                # Only a report that refers to it tells the peer the round-trip time.
                self._deadline = min(self._deadline, now + self._randomised(FIRST_REPORT))
            self._last_sender_report = report.ssrc, middle(report.ntp_time), now
            self.remote_sender_report = report
            self.sender_reports_received += 1

    def _is_our_source(self, ssrc: int) -> bool:
        source = self.receiver.source if self.receiver is not None else None
        return source is not None and source.ssrc == ssrc

    def _take_report_blocks(self, blocks: tuple[ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc == self._ssrc and self.sender is not None:
                self.remote_report = block
                self.round_trips.measure(block.last_sender_report, block.delay_since_last_sender_report, now)
                if self.sender.extensions is not None:
                    self.sender.extensions.wants_mid = False
                jitter = block.jitter / self.sender.clock_rate
                report = ReportReceived(block.fraction_lost, block.packets_lost, jitter, self.round_trips.latest)
                self._events.push(report, MAX_EVENTS)

    def _take_goodbye(self, goodbye: Goodbye) -> bool:
        """Says whether it is that of the source which is heard."""
        receiver = self.receiver
        if receiver is None or receiver.source is None or receiver.source.ssrc not in goodbye.ssrcs:
            return False
        receiver.heed_goodbye()
        self._events.push(SourceLeft(receiver.source.ssrc, goodbye.reason), MAX_EVENTS)
        return True
