"""The sending half: chunks leave, are acknowledged, sent again or given up (RFC 9260 §6.1, §6.3, §7; RFC 3758)."""

from typing import Final

from glottis.contracts.short_queue import ShortQueue
from glottis.sctp.congestion import CongestionWindow
from glottis.sctp.events import StreamDrained
from glottis.sctp.outstanding import MAX_ACKNOWLEDGED_AT_ONCE, ChunkState, OutboundChunk, Outstanding
from glottis.sctp.packer import Packer
from glottis.sctp.send_queue import OutboundMessage, SendQueue
from glottis.sctp.serial import TSN_MASK, unwrap_tsn
from glottis.sctp.tcb import Peer, Tcb
from glottis.sctp.timers import Timer
from glottis.wire.sctp import (
    DATA_HEADER_LENGTH,
    FIRST_FRAGMENT,
    LAST_FRAGMENT,
    SACK_IMMEDIATELY,
    UNORDERED,
    ChunkType,
    acknowledged_at_once,
    encode_chunk,
    encode_data,
)
from glottis.wire.sctp_chunks import ForwardTsn, Sack

_MAX_BURST: Final = 4
"""Packets of data per opportunity, new or sent again (RFC 9260 §6.1 D)."""

_MAX_CHUNKS_AT_ONCE: Final = 48
"""A burst of more than these leaves in several goes."""

_MAX_GIVEN_UP_AT_ONCE: Final = 192
"""Messages and their chunks; further ones are given up in the next go."""

_MAX_OUTSTANDING: Final = 1024
"""Chunks: more than the largest congestion window holds of full ones, and as many as may be lost at a time."""

_PAUSE: Final = 2.0
"""Seconds that the peer has to take an answer and to leave."""

_TIME_FOR_AN_OFFER: Final = 0.01
"""Seconds that it takes a peer to send its offer, besides what the network takes: five in Chromium, in milliseconds."""


class Outbound:
    """What is queued and what is outstanding."""

    def __init__(self, tcb: Tcb, queue: SendQueue | None = None) -> None:
        self.queue = queue if queue is not None else SendQueue()
        self._tcb = tcb
        self._max_chunk = tcb.limits.packet_capacity
        self._max_payload = self._max_chunk - DATA_HEADER_LENGTH
        self._max_skipped = self._max_chunk // 4 - 2
        """Streams that a FORWARD TSN has room for."""
        self._outstanding = Outstanding(tcb.initial_tsn)
        self._window = CongestionWindow(tcb.limits)
        self._peer_window = 0
        self._peer_takes_forward_tsn = False
        self._forward_tsn_is_due = False
        self._fast_retransmit_is_due = False
        self._abandoned: ShortQueue[OutboundMessage] = ShortQueue()
        """Messages of which all chunks are yet to be given up."""
        self._rest_of_sack: Sack | None = None
        """The last one, if it acknowledges more than is taken note of in one go."""
        self._has_acknowledged = False
        """Whether a part of it was taken note of in this go."""
        self._acknowledged: int | None = None
        """Bytes by its parts, if any has advanced the cumulative TSN: for the congestion window they are one."""
        self._was_full = False
        """Whether the congestion window was, when it came."""
        self._round_trip: tuple[int, float] | None = None
        """A TSN sent once, and when: the running measurement (§6.3.1 C4)."""
        self._idle_since: float | None = None
        self._is_ending = False
        """Whether each acknowledgement is to come at once."""
        self._is_paused = False
        """Whether nothing else leaves."""
        self._paused_at = self._pause_round_trip = 0.0
        """Since when, and how long it took until the copy was acknowledged."""
        self._in_flight_then: list[OutboundMessage] = []
        self._probe_is_due = False
        """Whether the peer is to be asked for one."""
        self._burst = 0
        """Bytes that may yet leave at this opportunity."""
        self._chunks_left = 0
        """Chunks that may yet leave in this packet or these."""
        self.is_behind = False
        """Whether there was more to send or to drop than is done in one go."""

    def begin(self, peer: Peer) -> None:
        """The handshake is done."""
        self._peer_window = peer.advertised_window
        self._peer_takes_forward_tsn = peer.forward_tsn

    def pause(self) -> None:
        """The peer may end the association as soon as it has our answer, and another may follow.

        What it has not acknowledged by then is sent again, for a reliable channel loses nothing; but where the last
        acknowledgement is lost, what had arrived would arrive twice. So a copy of the last chunk asks for another one.

        But Chromium, since it has made its offer, acknowledges what comes, and drops it. So nothing else leaves for a
        while, and what was in flight by then is sent again though it be acknowledged meanwhile.
        """
        self._is_ending = True
        self._is_paused = self._probe_is_due = self._tcb.sends_data

    def resume(self) -> None:
        """The peer has another transport, or has had the time for it."""
        self._is_paused = self._probe_is_due = False
        self._tcb.timers.stop(Timer.PAUSE)

    def handle_pause_over(self, now: float) -> None:
        """It may have kept its transport."""
        self.resume()

    def settle(self) -> None:
        """It has kept the association."""
        self.resume()
        self._is_ending = False
        self._in_flight_then.clear()

    def start_over(self, now: float) -> SendQueue:
        """Another association follows: what is queued, behind what has probably not arrived and may be sent again."""
        again = {*self._outstanding.undelivered(now), *self._doubtful()}
        self.queue.start_over(sorted(again, key=lambda message: message.first_tsn))
        return self.queue

    def _doubtful(self) -> list[OutboundMessage]:
        """What was in flight at the pause; of the oldest packet, the acknowledgement may merely be held back."""
        sent = self._in_flight_then
        offer_made_at = self._paused_at - self._pause_round_trip - _TIME_FOR_AN_OFFER
        return [message for message in sent if message.sent_at > min(sent[0].sent_at, offer_made_at)]

    @property
    def congestion_window(self) -> int:
        """Bytes."""
        return self._window.size

    @property
    def last_assigned_tsn(self) -> int:
        """Unwrapped."""
        return self._outstanding.next_tsn - 1

    @property
    def cumulative_tsn(self) -> int:
        """The last TSN up to which the peer has everything, unwrapped."""
        return self._outstanding.cumulative

    @property
    def held(self) -> int:
        """Bytes of memory that are charged for what is queued or not acknowledged."""
        return self.queue.held + self._outstanding.held

    @property
    def is_idle(self) -> bool:
        """Whether everything that was queued is acknowledged or given up."""
        return not self._outstanding and self.queue.is_all_sent

    def handle_sack(self, sack: Sack, now: float) -> None:
        """Take note of what has arrived (§6.2.1, §6.3.2, §7.2)."""
        outstanding = self._outstanding
        cumulative = unwrap_tsn(sack.cumulative_tsn, outstanding.cumulative)
        if not outstanding.cumulative <= cumulative < outstanding.next_tsn:
            return  # Older than what is known, or an acknowledgement of what was never sent.
        if self._is_paused:
            self._pause_round_trip = now - self._paused_at
        if self._rest_of_sack is None:
            self._acknowledged, self._was_full = None, outstanding.flight_size >= self._window.size
        self._rest_of_sack = None
        if cumulative - outstanding.cumulative > MAX_ACKNOWLEDGED_AT_ONCE:
            self._rest_of_sack, self._has_acknowledged = sack, True
            cumulative = outstanding.cumulative + MAX_ACKNOWLEDGED_AT_ONCE
            sack = Sack(cumulative & TSN_MASK, sack.advertised_window)
        advanced = cumulative > outstanding.cumulative
        acked = outstanding.acknowledge_up_to(cumulative)
        if sack.gap_blocks or outstanding.has_gaps:
            acked += self._handle_gaps(sack, now, advanced=advanced)
        self._peer_window = max(0, sack.advertised_window - outstanding.flight_size)
        self._tcb.error_count = 0
        if advanced or self._acknowledged is not None:
            self._acknowledged = acked + (self._acknowledged or 0)
            if self._rest_of_sack is None:
                self._window.acknowledged(self._acknowledged, cumulative_tsn=cumulative, window_was_full=self._was_full)
        if advanced:
            self._tcb.rto.forget_back_off()
            self._measure_round_trip(cumulative, now)
            self._restart_t3(now)
        self._forward_tsn_is_due = outstanding.first_is_given_up

    def handle_cumulative_tsn(self, tsn: int, now: float) -> None:
        """What a SHUTDOWN acknowledges (§9.2)."""
        self.handle_sack(Sack(tsn, self._peer_window), now)

    def handle_t3(self, now: float) -> None:
        """Nothing was acknowledged in time: send again what is outstanding, slowly (§6.3.3)."""
        self._tcb.rto.back_off()
        self._tcb.count_error()
        self._window.timed_out()
        self._round_trip = None
        self._outstanding.lose_all()
        self._forward_tsn_is_due = self._outstanding.first_is_given_up

    def fill(self, packer: Packer, now: float) -> None:
        """Add what may be sent: FORWARD TSN, then lost chunks, then new ones (§6.1 A–D)."""
        self.queue.date_messages(now)
        if self._rest_of_sack is not None:
            self._go_on_acknowledging(now)
            return
        if self._probe_is_due:
            self._begin_pause(packer, now)
        if self._is_paused:
            self.is_behind = False
            return
        if not self.is_behind:
            self._burst = _MAX_BURST * packer.capacity
        self.is_behind = self._peer_takes_forward_tsn and self._give_up_some(now)
        if self.is_behind:
            return
        if self._forward_tsn_is_due:
            self._send_forward_tsn(packer)
        self._chunks_left = _MAX_CHUNKS_AT_ONCE
        self._send_lost(packer, now)
        if self.queue.size and self._outstanding.next_lost() is None:
            self._send_new(packer, now)
        if self._outstanding:
            self._tcb.timers.start_if_stopped(Timer.T3_RTX, now + self._tcb.rto.seconds)
        self.is_behind = self.queue.is_behind or (self._burst > 0 and not self._chunks_left)
        self._tell_drained()

    def _go_on_acknowledging(self, now: float) -> None:
        """Take note of the next part, unless one was in this go, and send nothing yet: there is more at once."""
        if not self._has_acknowledged and self._rest_of_sack is not None:
            self.handle_sack(self._rest_of_sack, now)
        self._has_acknowledged = False
        self.is_behind = True

    def _handle_gaps(self, sack: Sack, now: float, *, advanced: bool) -> int:
        acked, below, is_cut = self._outstanding.apply_gaps(sack.gap_blocks)
        if is_cut:  # what is missing is looked for when all of it is known
            self._rest_of_sack, self._has_acknowledged = sack, True
            return acked
        if advanced and self._window.in_fast_recovery:
            below = self._outstanding.highest_reported
        for chunk in self._outstanding.report_missing(below):
            if chunk.state is ChunkState.IN_FLIGHT and not self._give_up_if_due(chunk, now):
                self._fast_retransmit(chunk)
        return acked

    def _fast_retransmit(self, chunk: OutboundChunk) -> None:
        self._outstanding.lose(chunk)
        self._window.fast_retransmitted(self._outstanding.next_tsn - 1)
        self._fast_retransmit_is_due = True
        self._round_trip = None
        if chunk.tsn == self._outstanding.cumulative + 1:
            self._tcb.timers.stop(Timer.T3_RTX)  # §7.2.4 4: restarted when the chunk leaves

    def _give_up_if_due(self, chunk: OutboundChunk, now: float) -> bool:
        """Give the message of ``chunk`` up if its reliability says so (RFC 3758 §3.5)."""
        if not self._peer_takes_forward_tsn or not chunk.message.is_given_up(chunk.sent_count, now):
            return False
        self._abandon(chunk.message)
        return True

    def _abandon(self, message: OutboundMessage) -> None:
        """Let all of its chunks be given up before anything else is sent."""
        if message.is_abandoned:
            return
        message.is_abandoned = True
        self._abandoned.append(message)
        if self.queue.finish(message):
            # What the peer has of it may be acknowledged already: a TSN that was never sent lets FORWARD TSN
            # (which must go beyond that, RFC 3758 §3.6) still tell it to drop the rest.
            self._outstanding.add_given_up(message)

    def _give_up_some(self, now: float) -> bool:
        """What would be sent or waited for next, and is not worth it any more; whether there may be more of it."""
        left = _MAX_GIVEN_UP_AT_ONCE
        while left > 0:
            if not self._abandoned:
                if (message := self._next_to_give_up(now)) is None:
                    return False
                self._abandon(message)
            left -= self._give_up_chunks(left)
            self._forward_tsn_is_due = self._outstanding.first_is_given_up
        self._outstanding.pass_over_given_up(self._max_skipped)
        return True

    def _give_up_chunks(self, most: int) -> int:
        """Some of the first abandoned message, of which one more is charged for itself; how many are."""
        count = self._outstanding.give_up(self._abandoned[0], most)
        if count == most:
            return count
        self._abandoned.popleft()
        return count + 1

    def _next_to_give_up(self, now: float) -> OutboundMessage | None:
        begun = self.queue.begun
        if begun is not None and begun.is_given_up(0, now):
            return begun
        lost = self._outstanding.next_lost()
        if lost is not None and lost.message.is_given_up(lost.sent_count, now):
            return lost.message
        return self._outstanding.expired_at_head(now)

    def _send_forward_tsn(self, packer: Packer) -> None:
        point, skipped = self._outstanding.given_up_prefix(self._max_skipped)
        chunk = ForwardTsn(point & TSN_MASK, tuple(skipped.items()))
        packer.add(encode_chunk(ChunkType.FORWARD_TSN, chunk.encode()))
        self._forward_tsn_is_due = False

    def _begin_pause(self, packer: Packer, now: float) -> None:
        """Have everything acknowledged that has arrived: by a chunk that has arrived before, or has not (§6.2)."""
        self._probe_is_due = False
        self._tcb.timers.start(Timer.PAUSE, now + _PAUSE)
        self._paused_at, self._pause_round_trip = now, 0.0
        self._in_flight_then = self._outstanding.undelivered(now)
        chunk = self._outstanding.last_in_flight(now)
        if chunk is not None:
            packer.add(acknowledged_at_once(chunk.encoded))

    def _send_lost(self, packer: Packer, now: float) -> None:
        """Chunks to be sent again; a fast retransmission's first packet may exceed the window (§7.2.4 3)."""
        outstanding = self._outstanding
        beyond_window = packer.capacity if self._fast_retransmit_is_due else 0
        self._fast_retransmit_is_due = False
        while self._burst > 0 and self._chunks_left and (chunk := outstanding.next_lost()) is not None:
            if self._give_up_if_due(chunk, now):
                self._chunks_left -= self._give_up_chunks(self._chunks_left)
                continue
            beyond_window -= len(chunk.encoded)
            if (
                beyond_window < 0
                and outstanding.flight_size
                and outstanding.flight_size + chunk.size > self._window.size
            ):
                return
            self._send(packer, chunk)
            outstanding.send_again(chunk)

    def _send_new(self, packer: Packer, now: float) -> None:
        outstanding, queue = self._outstanding, self.queue
        if not outstanding and self._idle_since is not None:
            self._window.was_idle(now - self._idle_since, self._tcb.rto.seconds)
        self._idle_since = None
        limit = min(self._window.size, outstanding.flight_size + self._burst)
        for _ in range(min(self._chunks_left, _MAX_OUTSTANDING - len(outstanding))):
            message = queue.next_message(now) if outstanding.flight_size < limit else None
            if message is None:
                return
            size = min(len(message.data) - message.offset, self._max_payload)
            if size > self._peer_window and outstanding.flight_size:
                return  # With nothing in flight this is the probe of a shut window (§6.1 A).
            chunk = self._cut(message, size)
            message.sent_at = now
            self._send(packer, chunk)
            outstanding.add(chunk)
            self._peer_window -= size
            if self._round_trip is None:
                self._round_trip = (chunk.tsn, now)

    def _send(self, packer: Packer, chunk: OutboundChunk) -> None:
        packer.add(acknowledged_at_once(chunk.encoded) if self._is_ending else chunk.encoded)
        self._burst -= chunk.size
        self._chunks_left -= 1

    def _cut(self, message: OutboundMessage, size: int) -> OutboundChunk:
        """The next chunk of ``message``."""
        tsn = self._outstanding.next_tsn
        flags = UNORDERED if message.unordered else 0
        if message.offset == 0:
            flags |= FIRST_FRAGMENT
            message.first_tsn = tsn
        payload = self.queue.cut(message, size)
        if message.offset == len(message.data):
            flags |= LAST_FRAGMENT
        if self.queue.is_all_sent:  # no second packet fetches the acknowledgement before 0.2 s (§6.2)
            flags |= SACK_IMMEDIATELY
        fields = (tsn & TSN_MASK, message.stream_id, message.stream_sequence, message.protocol_id)
        return OutboundChunk(tsn, encode_data(flags, fields, payload), size, message)

    def _measure_round_trip(self, cumulative: int, now: float) -> None:
        if self._round_trip is not None and cumulative >= self._round_trip[0]:
            self._tcb.rto.measure(now - self._round_trip[1])
            self._round_trip = None

    def _restart_t3(self, now: float) -> None:
        """The earliest outstanding chunk was acknowledged (§6.3.2 R2, R3)."""
        if self._outstanding:
            self._tcb.timers.start(Timer.T3_RTX, now + self._tcb.rto.seconds)
            return
        self._tcb.timers.stop(Timer.T3_RTX)
        self._window.all_acknowledged()
        self._idle_since = now

    def _tell_drained(self) -> None:
        drained = self.queue.drained
        if drained:
            self._tcb.progress.extend(StreamDrained(stream_id) for stream_id in dict.fromkeys(drained))
            drained.clear()
