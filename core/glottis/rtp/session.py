"""The RTP engine of a call: SRTP around a receiver, a sender and their RTCP, on one transport (RFC 5761)."""

import random
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from glottis.contracts.errors import Malformed
from glottis.contracts.short_queue import ShortQueue
from glottis.contracts.statistics import Counters, Statistics
from glottis.rtp.events import RtpEvent, SourceRetired
from glottis.rtp.feedback import Feedback
from glottis.rtp.header_extensions import ExtensionReader, ExtensionWriter
from glottis.rtp.missing import MissingPackets
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.retransmission import SentPackets
from glottis.rtp.rtcp_session import RtcpSession
from glottis.rtp.sender import AudioSender
from glottis.rtp.srtp import Replayed
from glottis.rtp.statistics import rtp_statistics
from glottis.wire.rtcp import is_rtcp
from glottis.wire.rtp_extensions import ExtensionIds

MAX_EARLY_PACKETS: Final = 50
"""Packets kept until there are keys, the last ones: half a second of those of 10 ms."""
EARLY_LIFETIME: Final = 0.5
"""Seconds; what came longer before the keys is no longer worth to be heard."""


class Taken(Enum):
    """What has become of a datagram."""

    REFUSED = auto()
    """It was not authentic, or a copy, or came at the wrong time."""
    MEDIA = auto()
    """It waits for its media tick."""
    REPORT = auto()
    """``next_event`` may tell what it says; no more is to be done."""
    NEWS = auto()
    """There may be anything to drain, another timeout, and another moment for playout to begin."""


_REFUSED, _MEDIA = Taken.REFUSED, Taken.MEDIA
"""Looked up once, and not for each packet: a member of an enum takes as long as a dozen other attributes."""


class PacketProtection(Protocol):
    """What ``SrtpSession`` does to packets; the untrusted ones raise ``Malformed``, for a repeat ``Replayed``."""

    @property
    def retired_sources(self) -> int: ...
    def protect(self, packet: bytes) -> bytes: ...
    def unprotect_untrusted(self, data: bytes, now: float) -> bytes: ...
    def protect_rtcp(self, packet: bytes) -> bytes: ...
    def unprotect_rtcp_untrusted(self, data: bytes, now: float) -> bytes: ...


class RtpSession:
    """One bundled audio track in each direction; either may be None, as negotiated.

    Nothing is sent before ``start``, and what comes is kept for ``EARLY_LIFETIME``. Datagrams that are not authentic or
    cannot be read are dropped and counted: what strangers send must not end a call. ``rng`` and ``wallclock_offset``
    are those of ``RtcpSession``.
    """

    def __init__(
        self,
        *,
        ssrc: int,
        cname: str,
        rng: random.Random,
        wallclock_offset: Callable[[], float],
        receiver: AudioReceiver | None = None,
        sender: AudioSender | None = None,
    ) -> None:
        self.protection: PacketProtection | None = None
        """Set by ``start``."""
        self.heard_at: float | None = None
        """When the last authentic packet of media came."""
        self.packets_malformed = 0
        """Not authentic, unreadable or unplayable."""
        self.packets_replayed = 0
        """Authentic, but copies of what had come before."""
        self.packets_before_start = 0
        """Too many or too old by the time there were keys."""
        self._wallclock_offset = wallclock_offset
        self.receiver = receiver
        """The incoming track; this and ``sender`` are plain attributes, for packets ask: ``set_tracks`` sets them."""
        self.sender = sender
        """The outgoing track."""
        self._rtcp = RtcpSession(
            ssrc=ssrc, cname=cname, rng=rng, wallclock_offset=wallclock_offset, sender=sender, receiver=receiver
        )
        self._early: ShortQueue[tuple[bytes, float]] = ShortQueue()
        self._closed = False
        self._retirement_is_told = False
        self._retired_before = 0
        """Of the keys before."""

    def set_tracks(self, *, receiver: AudioReceiver | None, sender: AudioSender | None) -> None:
        """As a renegotiation has it, which may take the sender away, and give the same one back.

        Another sender has to go on from the one before: SRTP takes no sequence number twice.
        """
        self.receiver = self._rtcp.receiver = receiver
        self.sender = self._rtcp.sender = sender

    def set_feedback(self, feedback: Feedback, ids: ExtensionIds, mid: str | None, now: float) -> None:
        """As a negotiation has it, after ``set_tracks``; ``mid`` is that of the section."""
        rtcp, sender, receiver = self._rtcp, self.sender, self.receiver
        rtcp.feedback = feedback
        if sender is not None:
            before = sender.extensions
            sender.extensions = ExtensionWriter(ids, mid, rtcp.departures.sent) if any(ids) else None
            if before is not None and sender.extensions is not None:
                sender.extensions.transport_sequence = before.transport_sequence
            if not feedback.nack:
                rtcp.sent_packets = None
            elif rtcp.sent_packets is None:
                rtcp.sent_packets = SentPackets(now)
        if receiver is not None:
            receiver.extensions = ExtensionReader(ids, rtcp.arrivals.arrived) if any(ids) else None
            if not feedback.nack:
                receiver.missing = None
            elif receiver.missing is None:
                receiver.missing = MissingPackets()

    def start(self, protection: PacketProtection, now: float) -> None:
        """The handshake has given keys: from now on packets flow. Another one gives others, and the streams go on."""
        self._retired_before = self._retired_sources
        self.protection = protection
        if self._rtcp.sent_packets is not None:
            self._rtcp.sent_packets.forget()
        self._rtcp.start(now)
        early, self._early = self._early, ShortQueue()
        if early and self.receiver is not None:
            self.receiver.allow_head_start()
        for data, arrived_at in early:
            if now - arrived_at <= EARLY_LIFETIME:
                self.handle_datagram(data, arrived_at)
            else:
                self.packets_before_start += 1

    def take_early(self, before: "RtpSession") -> None:
        """What came to a session that has no keys is for this one, which has them by now."""
        early, before._early = before._early, ShortQueue()
        for data, arrived_at in early:
            self.handle_datagram(data, arrived_at)

    def close(self, now: float, reason: str = "") -> None:
        """Queue a goodbye. Nothing else is sent after it, and nothing is received."""
        self._rtcp.close(now, reason)
        self._closed = True

    def handle_datagram(self, data: bytes, now: float) -> Taken:
        """Take in an SRTP or SRTCP packet, told apart as in RFC 5761 §4. Never raises for what is in it."""
        protection = self.protection
        if self._closed:
            return _REFUSED
        if protection is None:
            self._keep_early(data, now)
            return _REFUSED
        taken = _REFUSED
        try:
            if is_rtcp(data):
                packet = protection.unprotect_rtcp_untrusted(data, now)
                taken = Taken.NEWS
                if not self._rtcp.handle_datagram(packet, now):
                    taken = Taken.REPORT
            elif (receiver := self.receiver) is not None:
                packet = protection.unprotect_untrusted(data, now)
                taken = _MEDIA
                self.heard_at = now
                begins = receiver.handle_rtp(packet, now)
                missing = receiver.missing
                if begins or (missing is not None and missing.is_asking and self._rtcp.request_missing(now)):
                    taken = Taken.NEWS
        except Replayed:
            self.packets_replayed += 1
        except Malformed:
            self.packets_malformed += 1
        return taken

    def _keep_early(self, data: bytes, now: float) -> None:
        """The peer has its keys already: its first words may overtake the last flight of the handshake."""
        self.packets_before_start += self._early.push((data, now), MAX_EARLY_PACKETS)

    def packets_to_send(self, now: float) -> list[bytes]:
        """The SRTP packets due in this media tick; before ``start`` what is queued stays queued.

        Feedback on what is received rides on the tick, so that it needs no timeouts of its own.
        """
        protection, rtcp, sender, receiver = self.protection, self._rtcp, self.sender, self.receiver
        if protection is None or self._closed:
            return []
        packets = [] if sender is None else sender.next_packets(now)
        if packets:
            packets = list(map(protection.protect, packets))
            if rtcp.sent_packets is not None:
                rtcp.sent_packets.remember(packets)
        if now >= rtcp.arrivals.due_at and rtcp.feedback.transport:
            rtcp.tell_arrivals(now)
        if receiver is not None and receiver.missing is not None and receiver.missing.is_asking:
            rtcp.request_missing(now)
        return packets + self.datagrams_to_send() if rtcp.outbox or rtcp.resent else packets

    def handle_timeout(self, now: float) -> None:
        self._rtcp.handle_timeout(now)

    def next_timeout(self) -> float | None:
        return self._rtcp.next_timeout()

    def datagrams_to_send(self) -> list[bytes]:
        """SRTCP packets, and what is sent again; returned once."""
        protection, rtcp = self.protection, self._rtcp
        plain, again, rtcp.resent = rtcp.datagrams_to_send(), rtcp.resent, []
        return [*map(protection.protect_rtcp, plain), *again] if protection is not None else []

    def next_event(self) -> RtpEvent | None:
        if not self._retirement_is_told and self._retired_sources:
            self._retirement_is_told = True
            return SourceRetired()
        return self._rtcp.next_event()

    @property
    def _retired_sources(self) -> int:
        return self._retired_before + (self.protection.retired_sources if self.protection is not None else 0)

    def statistics(self, now: float) -> Statistics:
        """What was counted so far."""
        timestamp = (now + self._wallclock_offset()) * 1000
        kept = self._rtcp.sent_packets
        counters = Counters(
            packets_malformed=self.packets_malformed,
            packets_replayed=self.packets_replayed,
            packets_before_start=self.packets_before_start,
            sources_retired=self._retired_sources,
            nacks_refused=0 if kept is None else kept.refused,
            feedback_unknown=self._rtcp.departures.unknown + (0 if kept is None else kept.unknown),
        )
        return rtp_statistics(timestamp, self.receiver, self.sender, self._rtcp, counters)
