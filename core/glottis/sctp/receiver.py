"""From a packet to the handlers of its chunks (RFC 9260 §3.2, §8.4, §8.5)."""

from collections.abc import Callable
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.sctp.handshake import Handshake
from glottis.sctp.heartbeat import Heartbeat
from glottis.sctp.inbound import Inbound
from glottis.sctp.outbound import Outbound
from glottis.sctp.reset import StreamReset
from glottis.sctp.shutdown import Shutdown
from glottis.sctp.states import State
from glottis.sctp.tcb import Tcb
from glottis.wire.sctp import (
    CHUNK_HEADER_LENGTH,
    TAG_REFLECTED,
    ChunkSpan,
    ChunkType,
    Parameter,
    encode_chunk,
    encode_parameters,
    parse_packet_untrusted,
    parse_parameters_untrusted,
)
from glottis.wire.sctp_chunks import Cause, parse_forward_tsn_untrusted, parse_sack_untrusted

_MAX_REPORTED_CHUNK: Final = 256
"""Bytes of an unrecognized chunk that are sent back."""

_GO_ON_AFTER_UNKNOWN: Final = 0x80
"""Without this bit in an unknown chunk's type, the rest of the packet is dropped (§3.2)."""
_REPORT_UNKNOWN: Final = 0x40
"""With this bit, its sender hears of it; we report one per packet, so that the answer stays smaller than that."""

_MOST_IN_A_PACKET: Final[dict[int, int]] = {ChunkType.RE_CONFIG: 2}
"""Of other control chunks one is taken, for nobody has two SACKs to send at a time; a response may bring a request."""

_ENDS_SILENTLY: Final = frozenset(
    {ChunkType.ABORT, ChunkType.SHUTDOWN_COMPLETE, ChunkType.ERROR, ChunkType.COOKIE_ACK, ChunkType.INIT_ACK}
)
"""Answering these out of the blue could start a quarrel (§8.4)."""


class PacketReceiver:
    """Checks a packet's ports and tag and gives each chunk to whom it concerns."""

    def __init__(
        self,
        tcb: Tcb,
        *,
        handshake: Handshake,
        inbound: Inbound,
        outbound: Outbound,
        reset: StreamReset,
        heartbeat: Heartbeat,
        shutdown: Shutdown,
        zero_checksum_accepted: bool,
    ) -> None:
        self._tcb = tcb
        self._handshake, self._shutdown, self._reset = handshake, shutdown, reset
        self._inbound, self._outbound, self._heartbeat = inbound, outbound, heartbeat
        self._zero_checksum_accepted = zero_checksum_accepted
        self._tag = 0

    def handle_packet_untrusted(self, packet: bytes, now: float) -> None:
        """Take a packet. ``Malformed`` drops what is left of it; the chunks before have been handled."""
        header, spans = parse_packet_untrusted(packet, zero_checksum_accepted=self._zero_checksum_accepted)
        source_port, destination_port, self._tag = header
        tcb = self._tcb
        if destination_port != tcb.local_port or source_port != tcb.remote_port:
            return
        if not self._belongs_here(spans):
            return
        try:
            self._handle_chunks_untrusted(packet, spans, now)
        finally:
            if not tcb.ended and self._inbound.packet_done(now):
                self._shutdown.handle_data(now)

    def _handle_chunks_untrusted(self, packet: bytes, spans: list[ChunkSpan], now: float) -> None:
        """Let each chunk be handled; at the end ``Malformed`` if there were more of a kind than are taken."""
        taken: list[int] = []
        reported = has_surplus = False
        for chunk_type, flags, start, end in spans:
            if chunk_type == ChunkType.DATA:
                self._handle_data_untrusted(packet, flags, start, end)
            elif (handler := _HANDLERS.get(chunk_type)) is None:
                if chunk_type & _REPORT_UNKNOWN and not reported:
                    self._report_unknown(packet[start - CHUNK_HEADER_LENGTH : end])
                    reported = True
                if not chunk_type & _GO_ON_AFTER_UNKNOWN:
                    return
            elif taken.count(chunk_type) < _MOST_IN_A_PACKET.get(chunk_type, 1):
                taken.append(chunk_type)
                handler(self, packet[start:end], now)
            else:
                has_surplus = True
            if self._tcb.ended:
                return
        if has_surplus:
            raise Malformed("a packet repeats control chunks")

    def _belongs_here(self, spans: list[ChunkSpan]) -> bool:
        """Whether the verification tag is right (§8.5, with the exceptions of §8.5.1)."""
        tcb, tag = self._tcb, self._tag
        chunk_type, flags, _, _ = spans[0]
        if tag == 0:
            return chunk_type == ChunkType.INIT and len(spans) == 1
        if chunk_type == ChunkType.COOKIE_ECHO and not tcb.ended:
            return True  # The cookie knows its tag.
        if tcb.state is State.CLOSED:
            self._answer_out_of_the_blue(chunk_type)
            return False
        if flags & TAG_REFLECTED and chunk_type in (ChunkType.ABORT, ChunkType.SHUTDOWN_COMPLETE):
            return tcb.peer is not None and tag == tcb.peer.tag
        return tag == tcb.local_tag

    def _answer_out_of_the_blue(self, chunk_type: int) -> None:
        """There is no association: tell the sender so (§8.4)."""
        if chunk_type == ChunkType.SHUTDOWN_ACK:
            answer = ChunkType.SHUTDOWN_COMPLETE
        elif chunk_type in _ENDS_SILENTLY:
            return
        else:
            answer = ChunkType.ABORT
        self._tcb.seal([encode_chunk(answer, flags=TAG_REFLECTED)], self._tag)

    def _handle_data_untrusted(self, packet: bytes, flags: int, start: int, end: int) -> None:
        if self._tcb.takes_data:
            self._inbound.handle_data_untrusted(packet, flags, start, end)

    def _handle_init_untrusted(self, value: bytes, now: float) -> None:
        if self._tag == 0:  # Elsewhere INIT stands beside other chunks, which it must not (§3.3.2).
            self._handshake.handle_init_untrusted(value, now)

    def _handle_cookie_echo_untrusted(self, value: bytes, now: float) -> None:
        self._handshake.handle_cookie_echo_untrusted(value, self._tag, now)

    def _handle_sack_untrusted(self, value: bytes, now: float) -> None:
        if self._tcb.sends_data:
            self._outbound.handle_sack(parse_sack_untrusted(value), now)

    def _handle_forward_tsn_untrusted(self, value: bytes, now: float) -> None:
        if self._tcb.takes_data:
            self._inbound.handle_forward_tsn(parse_forward_tsn_untrusted(value))

    def _handle_re_config_untrusted(self, value: bytes, now: float) -> None:
        if self._tcb.takes_data:
            self._reset.handle_chunk_untrusted(value, now)

    def _handle_shutdown_untrusted(self, value: bytes, now: float) -> None:
        if len(value) == 4 and (self._tcb.takes_data or self._tcb.sends_data):
            self._outbound.handle_cumulative_tsn(int.from_bytes(value, "big"), now)
            self._shutdown.handle_shutdown(now)

    def _handle_error_untrusted(self, value: bytes, now: float) -> None:
        if any(cause.type == Cause.STALE_COOKIE for cause in parse_parameters_untrusted(value)):
            self._handshake.handle_stale_cookie(now)

    def _report_unknown(self, chunk: bytes) -> None:
        if self._tcb.takes_data:
            report = encode_parameters([Parameter(Cause.UNRECOGNIZED_CHUNK_TYPE, chunk[:_MAX_REPORTED_CHUNK])])
            self._tcb.control.append(encode_chunk(ChunkType.ERROR, report))


_HANDLERS: Final[dict[int, Callable[[PacketReceiver, bytes, float], None]]] = {
    ChunkType.INIT: PacketReceiver._handle_init_untrusted,
    ChunkType.INIT_ACK: lambda self, value, now: self._handshake.handle_init_ack_untrusted(value, now),
    ChunkType.COOKIE_ECHO: PacketReceiver._handle_cookie_echo_untrusted,
    ChunkType.COOKIE_ACK: lambda self, value, now: self._handshake.handle_cookie_ack(now),
    ChunkType.SACK: PacketReceiver._handle_sack_untrusted,
    ChunkType.FORWARD_TSN: PacketReceiver._handle_forward_tsn_untrusted,
    ChunkType.RE_CONFIG: PacketReceiver._handle_re_config_untrusted,
    ChunkType.HEARTBEAT: lambda self, value, now: self._heartbeat.handle_request(value),
    ChunkType.HEARTBEAT_ACK: lambda self, value, now: self._heartbeat.handle_ack(value, now),
    ChunkType.ERROR: PacketReceiver._handle_error_untrusted,
    ChunkType.ABORT: lambda self, value, now: self._shutdown.handle_abort(value),
    ChunkType.SHUTDOWN: PacketReceiver._handle_shutdown_untrusted,
    ChunkType.SHUTDOWN_ACK: lambda self, value, now: self._shutdown.handle_shutdown_ack(),
    ChunkType.SHUTDOWN_COMPLETE: lambda self, value, now: self._shutdown.handle_shutdown_complete(),
}
"""For all associations: tables of their own would each hold its receiver, in a circle."""
