"""The receiving half: DATA and FORWARD TSN come in, messages and SACKs go out (RFC 9260 §6.2, RFC 3758 §3.6)."""

from typing import Final

from glottis.contracts.errors import Malformed
from glottis.sctp.events import MessageReceived
from glottis.sctp.reassembly import InboundStreams, Reassembly
from glottis.sctp.received_tsns import ReceivedTsns
from glottis.sctp.serial import TSN_MASK, unwrap_tsn
from glottis.sctp.tcb import Peer, Tcb
from glottis.sctp.timers import Timer
from glottis.wire.sctp import (
    SACK_IMMEDIATELY,
    UNORDERED,
    WHOLE_MESSAGE,
    ChunkType,
    DataFields,
    Parameter,
    encode_chunk,
    encode_parameters,
    parse_data_untrusted,
)
from glottis.wire.sctp_chunks import Cause, ForwardTsn, Sack

_MAX_SKIPPED_AT_ONCE: Final = 128
"""Streams; those beyond are looked at in the next go."""


class Inbound:
    """What has arrived from the peer. The window shrinks by what is incomplete, out of order or not yet taken."""

    def __init__(self, tcb: Tcb, max_message_size: int, before: "Inbound | None" = None) -> None:
        """What an association ``before`` has left to be taken still counts."""
        self._tcb = tcb
        self._tsns = ReceivedTsns(0)
        self._reassembly = Reassembly(max_message_size)
        self._streams = InboundStreams() if before is None else before.start_over()
        self._stream_count = tcb.limits.max_streams
        self._hard_limit = tcb.limits.receive_buffer + max_message_size
        self._advertised = tcb.limits.receive_buffer
        self._got_data = False
        self._packets_unacknowledged = 0
        self.sack_is_due = False
        self._skipped: dict[int, int] = {}
        """By stream, up to where the peer has given up what is yet to be delivered or passed over."""
        self._has_skipped = False

    def begin(self, peer: Peer) -> None:
        """The handshake is done; nothing else is called before."""
        self._tsns = ReceivedTsns(peer.initial_tsn)

    def start_over(self) -> InboundStreams:
        """Another association follows: what waits for what was to come before it never has its turn (no order, no
        delivery), and what is incomplete never becomes whole.
        """
        self._streams.reset(())
        return self._streams

    @property
    def cumulative_tsn(self) -> int:
        """Unwrapped."""
        return self._tsns.cumulative

    def handle_data_untrusted(self, packet: bytes, flags: int, start: int, end: int) -> None:
        """Take a DATA chunk; what cannot be kept is dropped unacknowledged, and the peer sends it again."""
        fields, payload = parse_data_untrusted(packet, start, end)
        wire_tsn, stream_id, _, _ = fields
        if not payload:
            detail = wire_tsn.to_bytes(4, "big")
            self._tcb.abort(Cause.NO_USER_DATA, "the peer sent DATA without user data", detail=detail)
            return
        self._got_data = True
        if flags & SACK_IMMEDIATELY:
            self.sack_is_due = True
        tsn = unwrap_tsn(wire_tsn, self._tsns.cumulative)
        if not self._has_room_for(tsn) or not self._tsns.receive(tsn):
            self.sack_is_due = True
        elif stream_id >= self._stream_count:
            self._report_invalid_stream(stream_id)
        else:
            self._accept(tsn, flags, fields, payload)

    def handle_forward_tsn(self, chunk: ForwardTsn) -> None:
        """The peer has given up some messages (RFC 3758 §3.6)."""
        self._got_data = self.sack_is_due = True
        tsn = unwrap_tsn(chunk.new_cumulative_tsn, self._tsns.cumulative)
        # Further than the window of TSNs nothing can have been sent: such a chunk is a lie.
        if not self._tsns.cumulative < tsn <= self._tsns.cumulative + self._tcb.limits.max_tsn_gap:
            return
        self._tsns.forward(tsn)
        self._reassembly.drop_up_to(tsn)
        self._skipped.update(
            {stream_id: sequence for stream_id, sequence in chunk.skipped if stream_id < self._stream_count}
        )
        self._skip_some()
        self._has_skipped = True

    def go_on(self) -> bool:
        """Skip more, unless that was done in this go; whether there is yet more."""
        if self._skipped and not self._has_skipped:
            self._skip_some()
        self._has_skipped = False
        return self.is_behind

    @property
    def is_behind(self) -> bool:
        """Whether the last FORWARD TSN concerns more streams than were looked at in one go."""
        return bool(self._skipped)

    def _skip_some(self) -> None:
        skipped = list(self._skipped.items())
        self._skipped = dict(skipped[_MAX_SKIPPED_AT_ONCE:])
        self._tcb.events.extend(self._streams.skip(dict(skipped[:_MAX_SKIPPED_AT_ONCE])))

    def reset_streams(self, stream_ids: tuple[int, ...]) -> None:
        """The peer starts these streams anew (RFC 6525 §5.2.2); none stands for all of them."""
        self._streams.reset(stream_ids)

    def taken(self, *messages: MessageReceived) -> bool:
        """The owner took these; whether the window opened so far that the peer should hear of it now."""
        self._streams.taken(messages)
        half = self._tcb.limits.receive_buffer // 2
        if self._advertised < half <= self._window():
            self.sack_is_due = True
        return self.sack_is_due

    def keep(self, message: MessageReceived) -> None:
        """The owner gives ``message`` back, as if it had not been taken."""
        self._streams.keep(message)

    def packet_done(self, now: float) -> bool:
        """A packet was handled: acknowledge at once, or every second packet, or after 200 ms (§6.2).

        Says whether there was DATA in it.
        """
        if not self._got_data:
            return False
        self._got_data = False
        self._packets_unacknowledged += 1
        if self._packets_unacknowledged >= 2 or self._tsns.has_gaps:
            self.sack_is_due = True
        else:
            self._tcb.timers.start_if_stopped(Timer.DELAYED_SACK, now + self._tcb.limits.delayed_sack)
        return True

    def handle_delayed_sack(self, now: float) -> None:
        """Nothing took the acknowledgement along in time."""
        self.sack_is_due = True

    @property
    def sack_is_pending(self) -> bool:
        """Whether a SACK that rides on other chunks would spare one later."""
        return self._packets_unacknowledged > 0

    def make_sack(self) -> bytes:
        """A SACK chunk of how things are now."""
        self.sack_is_due = False
        self._packets_unacknowledged = 0
        self._tcb.timers.stop(Timer.DELAYED_SACK)
        self._advertised = self._window()
        tsns = self._tsns
        sack = Sack(tsns.cumulative & TSN_MASK, self._advertised, tsns.gap_blocks(), tsns.take_duplicates())
        return encode_chunk(ChunkType.SACK, sack.encode())

    def _held(self) -> int:
        return self._reassembly.held + self._streams.held

    def _window(self) -> int:
        return max(0, self._tcb.limits.receive_buffer - self._held())

    def _has_room_for(self, tsn: int) -> bool:
        """With the window shut only what fills the first gap is taken: it lets things be delivered (§6.2)."""
        if self._held() < self._tcb.limits.receive_buffer:
            return tsn <= self._tsns.cumulative + self._tcb.limits.max_tsn_gap
        return self._tsns.has_gaps and tsn == self._tsns.cumulative + 1 and self._held() < self._hard_limit

    def _accept(self, tsn: int, flags: int, fields: DataFields, payload: bytes) -> None:
        _, stream_id, stream_sequence, protocol_id = fields
        if flags & WHOLE_MESSAGE == WHOLE_MESSAGE:
            message: MessageReceived | None = MessageReceived(stream_id, protocol_id, payload)
        else:
            message = self._reassemble(tsn, flags, fields, payload)
        if message is None:
            return
        if flags & UNORDERED:
            self._streams.keep(message)
            self._tcb.events.append(message)
        else:
            self._tcb.events.extend(self._streams.take(stream_sequence, message))

    def _reassemble(self, tsn: int, flags: int, fields: DataFields, payload: bytes) -> MessageReceived | None:
        try:
            return self._reassembly.add_untrusted(tsn, flags & (WHOLE_MESSAGE | UNORDERED), fields, payload)
        except Malformed as error:
            self._tcb.abort(Cause.PROTOCOL_VIOLATION, str(error))
            return None

    def _report_invalid_stream(self, stream_id: int) -> None:
        value = stream_id.to_bytes(2, "big") + b"\0\0"
        report = encode_parameters([Parameter(Cause.INVALID_STREAM_IDENTIFIER, value)])
        self._tcb.control.append(encode_chunk(ChunkType.ERROR, report))
