"""The RTCP side of a call: reports out and in, round-trip time, goodbyes. Plain compound packets."""

import random
from collections.abc import Callable
from typing import Final

from glottis.contracts.short_queue import ShortQueue
from glottis.rtp.events import ReportReceived, RtpEvent, SourceLeft
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.sender import AudioSender
from glottis.wire.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_rtcp,
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
MAX_REMEMBERED_REPORTS: Final = 16
"""Sender reports of ours, forty seconds of them, which the peer may refer to."""
MAX_ROUND_TRIP: Final = 60.0
"""Seconds; more than this is a peer's wrong arithmetic, and so are negative times."""

_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""
_FRACTION: Final = 65536
"""Short times are in units of 1/65536 seconds, RFC 3550 §6.4.1."""


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
        self.round_trip_time: float | None = None
        """Seconds, the latest measurement."""
        self.total_round_trip_time = 0.0
        self.round_trip_time_measurements = 0
        self._ssrc = ssrc
        self._cname = cname
        self._rng = rng
        self._wallclock_offset = wallclock_offset
        self._deadline: float | None = None
        self._report_times: ShortQueue[float] = ShortQueue()
        self._reported_at: dict[int, float] = {}
        """When our sender reports left, by the middle of their NTP time."""
        self._last_sender_report: tuple[int, int, float] | None = None
        """Source, middle of its NTP time, and when it came."""
        self._outbox: list[bytes] = []
        self._events: ShortQueue[RtpEvent] = ShortQueue()

    def start(self, now: float) -> None:
        """Begin to report."""
        self._report_times.push(now, SENDER_INTERVALS)
        self._deadline = now + self._randomised(FIRST_REPORT)

    def close(self, now: float, reason: str = "") -> None:
        """Say goodbye, once, and report no more."""
        if self._deadline is not None:
            self._deadline = None
            self._outbox.append(build_rtcp([*self._report(now), Goodbye((self._ssrc,), reason)]))

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take in a compound packet; raises ``Malformed``. What is about sources unknown here is ignored."""
        for packet in parse_rtcp_untrusted(data):
            if isinstance(packet, SenderReport):
                self._note_sender_report(packet, now)
            if isinstance(packet, SenderReport | ReceiverReport):
                self._take_report_blocks(packet.report_blocks, now)
            elif isinstance(packet, Goodbye):
                self._take_goodbye(packet)

    def handle_timeout(self, now: float) -> None:
        if self._deadline is None or now < self._deadline:
            return
        self._outbox.append(build_rtcp(self._report(now)))
        self._report_times.push(now, SENDER_INTERVALS)
        self._deadline = now + self._randomised(REPORT_INTERVAL)

    def next_timeout(self) -> float | None:
        return self._deadline

    def datagrams_to_send(self) -> list[bytes]:
        outbox, self._outbox = self._outbox, []
        return outbox

    def next_event(self) -> RtpEvent | None:
        return self._events.popleft() if self._events else None

    def _randomised(self, seconds: float) -> float:
        """Between half and one and a half times, "to avoid unintended synchronization" (RFC 3550 §6.2)."""
        return seconds * self._rng.uniform(0.5, 1.5)

    def _report(self, now: float) -> list[RtcpPacket]:
        blocks = self._report_blocks(now)
        report = self._sender_report(blocks, now) or ReceiverReport(self._ssrc, blocks)
        return [report, SourceDescription(((self._ssrc, self._cname),))]

    def _sender_report(self, blocks: tuple[ReportBlock, ...], now: float) -> SenderReport | None:
        sender = self.sender
        if sender is None or sender.last_sent_at is None or sender.last_sent_at < self._report_times[0]:
            return None
        return SenderReport(
            self._ssrc,
            self._date_report(now),
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
        _, middle, arrived_at = self._last_sender_report
        return middle, min(0xFFFFFFFF, max(0, round((now - arrived_at) * _FRACTION)))

    def _date_report(self, now: float) -> int:
        """Its NTP time, by which the peer will refer to it."""
        ntp_time = int((now + self._wallclock_offset() + _NTP_EPOCH) * 2**32) & 0xFFFFFFFFFFFFFFFF
        self._reported_at[_middle(ntp_time)] = now
        if len(self._reported_at) > MAX_REMEMBERED_REPORTS:
            del self._reported_at[next(iter(self._reported_at))]
        return ntp_time

    def _note_sender_report(self, report: SenderReport, now: float) -> None:
        if self._is_our_source(report.ssrc):
            if self._last_sender_report is None and self._deadline is not None:
                # Only a report that refers to it tells the peer the round-trip time.
                self._deadline = min(self._deadline, now + self._randomised(FIRST_REPORT))
            self._last_sender_report = report.ssrc, _middle(report.ntp_time), now

    def _is_our_source(self, ssrc: int) -> bool:
        source = self.receiver.source if self.receiver is not None else None
        return source is not None and source.ssrc == ssrc

    def _take_report_blocks(self, blocks: tuple[ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc == self._ssrc and self.sender is not None:
                self.remote_report = block
                self._measure_round_trip(block, now)
                jitter = block.jitter / self.sender.clock_rate
                report = ReportReceived(block.fraction_lost, block.packets_lost, jitter, self.round_trip_time)
                self._events.push(report, MAX_EVENTS)

    def _measure_round_trip(self, block: ReportBlock, now: float) -> None:
        """Now, less when we sent the report, less how long the peer kept it: RFC 3550 §6.4.1, figure 2."""
        reported_at = self._reported_at.get(block.last_sender_report)
        if reported_at is None:
            return
        round_trip_time = now - reported_at - block.delay_since_last_sender_report / _FRACTION
        if not -1 / _FRACTION <= round_trip_time <= MAX_ROUND_TRIP:  # the peer's time is rounded
            return
        self.round_trip_time = max(0.0, round_trip_time)
        self.total_round_trip_time += self.round_trip_time
        self.round_trip_time_measurements += 1

    def _take_goodbye(self, goodbye: Goodbye) -> None:
        for ssrc in goodbye.ssrcs:
            if self._is_our_source(ssrc):
                self._events.push(SourceLeft(ssrc, goodbye.reason), MAX_EVENTS)


def _middle(ntp_time: int) -> int:
    """The 32 bits of it that report blocks carry, RFC 3550 §4."""
    return ntp_time >> 16 & 0xFFFFFFFF
