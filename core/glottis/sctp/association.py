"""One SCTP association over DTLS (RFC 9260, RFC 8261) without I/O: bytes in, bytes out, time as an argument."""

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from glottis.contracts.errors import LocalError, Malformed
from glottis.sctp.events import (
    AssociationEnd,
    AssociationEstablished,
    AssociationEvent,
    EverythingAcknowledged,
    IncomingStreamsReset,
    MessageReceived,
    SendBufferDrained,
    SendProgress,
)
from glottis.sctp.handshake import Handshake
from glottis.sctp.heartbeat import Heartbeat
from glottis.sctp.inbound import Inbound
from glottis.sctp.limits import CHUNK_OVERHEAD, DEFAULT_LIMITS, SctpLimits
from glottis.sctp.outbound import Outbound
from glottis.sctp.packer import Packer
from glottis.sctp.receiver import PacketReceiver
from glottis.sctp.reset import StreamReset
from glottis.sctp.send_queue import OutboundMessage, SendQueue
from glottis.sctp.shutdown import Shutdown
from glottis.sctp.states import State
from glottis.sctp.tcb import Peer, Tcb
from glottis.sctp.timers import Timer
from glottis.wire.sctp_chunks import Cause

DEFAULT_PORT: Final = 5000
DEFAULT_MAX_MESSAGE_SIZE: Final = 256 * 1024
"""Bytes of a message that is taken: what browsers take."""


class SendBufferFull(LocalError):
    """More is queued than ``SctpLimits.send_buffer`` allows; an event tells when half of that is free."""


class SctpAssociation:
    """Both ends may ``connect`` at once, as WebRTC's do.

    Sending only queues. What is queued leaves with the next ``handle_datagram`` or ``handle_timeout``, and until then
    ``next_timeout`` says that it is due: sent in one go, small messages share packets.
    """

    def __init__(
        self,
        *,
        rng: random.Random,
        local_port: int = DEFAULT_PORT,
        remote_port: int = DEFAULT_PORT,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        limits: SctpLimits = DEFAULT_LIMITS,
        zero_checksum: bool = True,
    ) -> None:
        """``max_message_size`` is what we receive; ``zero_checksum`` offers RFC 9653 (there is DTLS underneath)."""
        self._limits = limits
        if max_message_size + CHUNK_OVERHEAD > self._limits.receive_buffer:
            raise LocalError("receive_buffer must hold a message of max_message_size")
        self._max_message_size = max_message_size
        self._zero_checksum = zero_checksum
        self._tcb = Tcb(rng, self._limits, local_port, remote_port)
        self._inbound = Inbound(self._tcb, max_message_size)
        self._outbound = Outbound(self._tcb)
        self._assemble()
        self.malformed_packets = 0
        """Packets that were dropped, in whole or in part."""
        self._now = 0.0
        self._work_is_due = False
        self._time_is_known = False
        self._room_wanted = 0
        """Bytes of the send buffer that the owner, whom ``SendBufferFull`` has stopped, waits for."""
        self._is_asked_to_tell = False
        """When all is acknowledged."""

    def _assemble(self) -> None:
        """The parts around both halves."""
        self._reset = StreamReset(self._tcb, self._inbound, self._outbound)
        self._heartbeat = Heartbeat(self._tcb)
        self._shutdown = Shutdown(self._tcb, self._inbound)
        begin = partial(_begin, self._tcb, self._inbound, self._outbound, self._reset, self._heartbeat)
        self._handshake = Handshake(self._tcb, begin, offer_zero_checksum=self._zero_checksum)
        self._receiver = PacketReceiver(
            self._tcb,
            handshake=self._handshake,
            inbound=self._inbound,
            outbound=self._outbound,
            reset=self._reset,
            heartbeat=self._heartbeat,
            shutdown=self._shutdown,
            zero_checksum_accepted=self._zero_checksum,
        )
        self._timer_handlers: dict[Timer, Callable[[float], None]] = {
            Timer.T1_HANDSHAKE: self._handshake.handle_t1,
            Timer.T2_SHUTDOWN: self._shutdown.handle_t2,
            Timer.T3_RTX: self._outbound.handle_t3,
            Timer.T5_SHUTDOWN_GUARD: self._shutdown.handle_t5,
            Timer.RE_CONFIG: self._reset.handle_timeout,
            Timer.DELAYED_SACK: self._inbound.handle_delayed_sack,
            Timer.HEARTBEAT: self._heartbeat.handle_timeout,
            Timer.PAUSE: self._outbound.handle_pause_over,
        }

    @property
    def state(self) -> State:
        """RFC 9260 §4."""
        return self._tcb.state

    @property
    def has_ended(self) -> bool:
        """Whether the association is closed for good."""
        return self._tcb.ended

    def is_addressed_by(self, tag: bytes) -> bool:
        """Whether this verification tag is ours (RFC 9260 §8.5)."""
        return tag == self._tcb.local_tag.to_bytes(4, "big")

    @property
    def congestion_window(self) -> int:
        """Bytes that may be in flight."""
        return self._outbound.congestion_window

    @property
    def buffered_amount(self) -> int:
        """Bytes queued and not yet sent."""
        return self._outbound.queue.size

    def stream_buffered_amount(self, stream_id: int) -> int:
        """Bytes queued on one stream and not yet sent."""
        return self._outbound.queue.buffered(stream_id)

    def connect(self, now: float) -> None:
        """Begin the handshake, unless the peer already has."""
        self._learn_time(now)
        self._handshake.connect(now)

    def pause(self) -> None:
        """See ``Outbound.pause``."""
        self._outbound.pause()
        self._work_is_due = True

    def resume(self) -> None:
        """See ``Outbound.resume``."""
        self._outbound.resume()
        self._work_is_due = True

    def settle(self) -> None:
        """See ``Outbound.settle``."""
        self._outbound.settle()
        self._work_is_due = True

    def renew(self, now: float) -> None:
        """Make place for another association of the same owner: ``connect`` begins it.

        The owner notices nothing: what has come is still told, and what was not acknowledged is sent again, before what
        was queued.
        """
        self._begin_anew(self._outbound.start_over(now))

    def take_undelivered(self, now: float) -> SendQueue:
        """What is queued, behind what was sent and not acknowledged. Nothing is sent after that: the end is near."""
        return self._outbound.start_over(now)

    def restart(self) -> None:
        """Make place for another association, in which nothing that was sent or queued is sent again."""
        self._begin_anew(SendQueue())

    def _begin_anew(self, queue: SendQueue) -> None:
        before = self._tcb
        tcb = self._tcb = Tcb(before.rng, self._limits, before.local_port, before.remote_port)
        tcb.events, tcb.progress = before.events, before.progress
        self._inbound = Inbound(tcb, self._max_message_size, self._inbound)
        self._outbound = Outbound(tcb, queue)
        self._assemble()

    def take_back_end(self) -> AssociationEnd | None:
        """How it has ended, if it has and that was not told yet; it will not be."""
        events = self._tcb.events
        last = events[-1] if events else None
        if not isinstance(last, AssociationEnd):
            return None
        events.pop()
        return last

    def end(self, event: AssociationEnd) -> None:
        """There is no association to be, for which place was made."""
        self._tcb.end(event)

    def tell(self, event: AssociationEvent) -> None:
        """As if the peer had brought it about."""
        if isinstance(event, MessageReceived):
            self._inbound.keep(event)
        self._tcb.events.append(event)

    def send(
        self,
        stream_id: int,
        protocol_id: int,
        data: bytes,
        *,
        unordered: bool = False,
        max_retransmits: int | None = None,
        max_life_time: float | None = None,
    ) -> None:
        """Queue a message of at least one byte; life time in seconds.

        Raises ``SendBufferFull``, and ``LocalError`` after the end.
        """
        if self._tcb.ended:
            raise LocalError("the association has ended")
        if self._reset.is_wanted(stream_id):
            raise LocalError("the stream is being reset")
        if not data:
            raise LocalError("SCTP carries no empty messages")
        self._check_room(len(data) + CHUNK_OVERHEAD)
        self._outbound.queue.push(
            OutboundMessage(stream_id, protocol_id, data, unordered, max_retransmits, max_life_time)
        )
        self._work_is_due = True

    def configure_stream(self, stream_id: int, *, priority: int = 256, low_threshold: int = 0) -> None:
        """A stream's weight among others, and at how many queued bytes ``StreamDrained`` tells."""
        self._outbound.queue.configure(stream_id, priority=priority, low_threshold=low_threshold)

    def reset_stream(self, stream_id: int, *, discard: bool = False) -> None:
        """Say that no more follows on a stream, after what is queued on it or instead of that (RFC 6525)."""
        if discard:
            self._outbound.queue.discard(stream_id)
        self._reset.want(stream_id)
        self._work_is_due = True

    def shutdown(self, now: float) -> None:
        """End in an orderly way, once everything that is queued is acknowledged (RFC 9260 §9.2)."""
        self._learn_time(now)
        self._shutdown.request(now)

    def abort(self, reason: str) -> None:
        """End at once (RFC 9260 §9.1); the peer is told ``reason``."""
        self._tcb.abort(Cause.USER_INITIATED_ABORT, reason)

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take a packet; what is malformed in it is dropped."""
        self._learn_time(now)
        try:
            self._receiver.handle_packet_untrusted(data, now)
        except Malformed:
            self.malformed_packets += 1

    def handle_timeout(self, now: float) -> None:
        """Let the timers that are due fire."""
        self._learn_time(now)
        for timer in self._tcb.timers.take_due(now):
            if not self._tcb.ended:
                self._timer_handlers[timer](now)

    def datagrams_to_send(self) -> list[bytes]:
        """The packets to be sent now; each is returned once."""
        if self._work_is_due and self._time_is_known:
            self._flush(self._now)
        self._time_is_known = False
        packets, self._tcb.packets = self._tcb.packets, []
        return packets

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called: at once (a time that has passed) if something was queued.

        Once time is known nothing is due but a drain; an owner that cannot drain yet is not woken for it again.
        """
        if self._tcb.ended:
            return None
        if self._work_is_due and not self._time_is_known:
            return self._now
        return self._tcb.timers.next_deadline()

    def tell_when_acknowledged(self) -> bool:
        """Have ``EverythingAcknowledged`` tell when the peer has all that was sent; false if it has it already."""
        self._is_asked_to_tell = not (self._outbound.is_idle or self._tcb.ended)
        return self._is_asked_to_tell

    def next_progress(self) -> SendProgress | None:
        """The next thing that has become of what we sent."""
        return self._tcb.progress.popleft() if self._tcb.progress else None

    def next_event(self) -> AssociationEvent | None:
        """The next other thing that happened; taking messages opens the window for more."""
        events = self._tcb.events
        if not events:
            return None
        event = events.popleft()
        if type(event) is MessageReceived:
            self._work_is_due |= self._inbound.taken(event)
        elif type(event) is IncomingStreamsReset and self._reset.taken():
            self._work_is_due = True
        return event

    def keep(self, message: MessageReceived) -> None:
        """The owner cannot use ``message`` yet: it counts in the window again, until ``release``."""
        self._inbound.keep(message)

    def release(self, *messages: MessageReceived) -> None:
        """The owner has done with these."""
        if self._inbound.taken(*messages):
            self._work_is_due = True

    def _check_room(self, size: int) -> None:
        capacity = self._limits.send_buffer
        if size > capacity:
            raise LocalError("the message is larger than the send buffer of the association")
        if self._outbound.held + size > capacity:
            self._room_wanted = max(self._room_wanted, size, capacity // 2)
            raise SendBufferFull("the send buffer of the association is full")

    def _learn_time(self, now: float) -> None:
        self._now = now
        self._time_is_known = self._work_is_due = True

    def _flush(self, now: float) -> None:
        self._work_is_due = False
        tcb = self._tcb
        if tcb.ended or tcb.peer is None:
            return
        self._work_is_due = self._inbound.go_on()
        packer = Packer(tcb)
        self._add_control(packer)
        self._add_sack(packer)
        if tcb.sends_data:
            self._outbound.fill(packer, now)
            self._tell_room()
            self._tell_acknowledged()
            self._step_down(now)
        packer.seal()
        self._add_control(packer)
        packer.seal()

    def _add_control(self, packer: Packer) -> None:
        if self._tcb.control:
            for chunk in self._tcb.control:
                packer.add(chunk)
            self._tcb.control.clear()

    def _add_sack(self, packer: Packer) -> None:
        if self._inbound.sack_is_due:
            packer.add(self._inbound.make_sack())
        elif self._inbound.sack_is_pending:
            packer.lead_with(self._inbound.make_sack)

    def _tell_room(self) -> None:
        self._work_is_due |= self._outbound.is_behind
        if self._room_wanted and self._outbound.held + self._room_wanted <= self._limits.send_buffer:
            self._room_wanted = 0
            self._tcb.progress.append(SendBufferDrained())

    def _tell_acknowledged(self) -> None:
        if self._is_asked_to_tell and self._outbound.is_idle:
            self._is_asked_to_tell = False
            self._tcb.progress.append(EverythingAcknowledged())

    def _step_down(self, now: float) -> None:
        """After data has been sent: resets that waited for it, and the next step of a shutdown."""
        self._reset.poll(now)
        if self._tcb.state is not State.ESTABLISHED and self._outbound.is_idle:
            self._shutdown.all_acknowledged(now)


def _begin(
    tcb: Tcb, inbound: Inbound, outbound: Outbound, reset: StreamReset, heartbeat: Heartbeat, peer: Peer, now: float
) -> None:
    """The association comes into being."""
    inbound.begin(peer)
    outbound.begin(peer)
    reset.begin(peer)
    heartbeat.begin(now)
    tcb.events.append(AssociationEstablished(min(tcb.limits.max_streams, peer.inbound_streams)))
