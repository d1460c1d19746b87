"""Stream reset (RFC 6525): how one end says that it sends no more on some streams."""

from typing import Final

from glottis.contracts.short_queue import ShortQueue
from glottis.sctp.events import IncomingStreamsReset, OutgoingStreamsReset
from glottis.sctp.inbound import Inbound
from glottis.sctp.outbound import Outbound
from glottis.sctp.serial import TSN_MASK, unwrap_tsn
from glottis.sctp.tcb import Peer, Tcb
from glottis.sctp.timers import Timer
from glottis.wire.sctp import ChunkType, Parameter, encode_chunk, encode_parameters, parse_parameters_untrusted
from glottis.wire.sctp_chunks import (
    OutgoingReset,
    ParameterType,
    ResetResponse,
    ResetResult,
    parse_outgoing_reset_untrusted,
    parse_reset_response_untrusted,
    parse_sequence_untrusted,
)

_MAX_STREAMS_PER_REQUEST: Final = 128
"""Keeps a request within the smallest packet."""
_REFUSED: Final = frozenset(
    {
        ParameterType.INCOMING_SSN_RESET,
        ParameterType.SSN_TSN_RESET,
        ParameterType.ADD_OUTGOING_STREAMS,
        ParameterType.ADD_INCOMING_STREAMS,
    }
)
"""Requests that data channels do not use (RFC 8831 §6.7 uses the Outgoing SSN Reset only)."""
_SUCCESS: Final = frozenset({ResetResult.NOTHING_TO_DO, ResetResult.PERFORMED})


class StreamReset:
    """Our requests, one at a time (§5.1.2), and the answers to the peer's (§5.2)."""

    def __init__(self, tcb: Tcb, inbound: Inbound, outbound: Outbound) -> None:
        self._tcb, self._inbound, self._outbound = tcb, inbound, outbound
        self._supported = False
        self._wanted: set[int] = set()
        """Streams to be reset."""
        self._sent: ShortQueue[tuple[int, int]] = ShortQueue()
        """Those on which all is sent: the last TSN that each may have used, and the stream."""
        self._next_sequence = tcb.initial_tsn
        self._request: OutgoingReset | None = None
        self._peer_sequence = 0
        """The last request of the peer that was answered, unwrapped."""
        self._last_response: bytes = b""
        self._deferred: OutgoingReset | None = None
        """A request of the peer whose last TSN has not arrived yet, or that came before the last one was taken."""
        self._is_untaken = False
        """Whether the owner has yet to hear of the last one that was performed."""

    def begin(self, peer: Peer) -> None:
        """The handshake is done; sequence numbers begin with the initial TSNs (§4.1)."""
        self._supported = peer.re_config
        self._peer_sequence = peer.initial_tsn - 1

    def want(self, stream_id: int) -> None:
        """Reset ``stream_id`` as soon as what is queued on it has been sent and acknowledged."""
        if stream_id not in self._wanted:
            self._wanted.add(stream_id)
            self._outbound.queue.tell_when_empty(stream_id)

    def is_wanted(self, stream_id: int) -> bool:
        """Whether ``stream_id`` is still to be reset: no more may be sent on it until that is done (§5.1.2)."""
        return stream_id in self._wanted

    def poll(self, now: float) -> None:
        """Make the next request if one is due, and perform the peer's if it was waiting."""
        self._perform_deferred()
        emptied = self._outbound.queue.emptied
        if emptied:
            self._sent.extend((self._outbound.last_assigned_tsn, stream_id) for stream_id in emptied)
            emptied.clear()
        while self._sent and self._request is None and (streams := self._take_acknowledged()):
            self._ask(tuple(stream_id for _, stream_id in streams), streams[-1][0], now)

    def taken(self) -> bool:
        """The owner has heard of the peer's last request: the next may be performed; whether one waits."""
        self._is_untaken = False
        return self._deferred is not None

    def _take_acknowledged(self) -> list[tuple[int, int]]:
        """The streams of the next request."""
        sent, acknowledged, streams = self._sent, self._outbound.cumulative_tsn, list[tuple[int, int]]()
        while sent and sent[0][0] <= acknowledged and len(streams) < _MAX_STREAMS_PER_REQUEST:
            streams.append(sent.popleft())
        return streams

    def handle_timeout(self, now: float) -> None:
        """Our request was not answered in time: send it again."""
        self._tcb.rto.back_off()
        self._tcb.count_error()
        if not self._tcb.ended:
            self._send_request(now)

    def handle_chunk_untrusted(self, value: bytes, now: float) -> None:
        """A RE-CONFIG chunk: at most two parameters (§3.1)."""
        self._supported = True  # who sends one understands it, whatever was announced
        for parameter in parse_parameters_untrusted(value)[:2]:
            if parameter.type == ParameterType.RE_CONFIGURATION_RESPONSE:
                self._handle_response(parse_reset_response_untrusted(parameter.value), now)
            elif parameter.type == ParameterType.OUTGOING_SSN_RESET:
                self._handle_request(parse_outgoing_reset_untrusted(parameter.value))
            elif parameter.type in _REFUSED:
                self._refuse(parse_sequence_untrusted(parameter.value))

    def _ask(self, stream_ids: tuple[int, ...], last_tsn: int, now: float) -> None:
        """Request a reset. What the streams carried is acknowledged, so the peer need not answer "in progress"."""
        if not self._supported:
            self._finish(stream_ids, performed=False)
            return
        self._request = OutgoingReset(
            self._next_sequence & TSN_MASK, self._peer_sequence & TSN_MASK, last_tsn & TSN_MASK, stream_ids
        )
        self._next_sequence += 1
        self._send_request(now)

    def _send_request(self, now: float) -> None:
        if self._request is not None:
            self._send(self._request.to_parameter())
            self._tcb.timers.start(Timer.RE_CONFIG, now + self._tcb.rto.seconds)

    def _handle_response(self, response: ResetResponse, now: float) -> None:
        request = self._request
        if request is None or response.response_sequence != request.request_sequence:
            return
        self._tcb.error_count = 0
        if response.result == ResetResult.IN_PROGRESS:
            # §5.2.7: ask again later; the response has shown that the peer is there.
            self._tcb.timers.start(Timer.RE_CONFIG, now + self._tcb.rto.seconds)
            return
        self._tcb.timers.stop(Timer.RE_CONFIG)
        self._request = None
        self._finish(request.stream_ids, performed=response.result in _SUCCESS)

    def _finish(self, stream_ids: tuple[int, ...], *, performed: bool) -> None:
        """Nothing more can be done about these streams; where they are not reset, their sequence numbers go on."""
        for stream_id in stream_ids:
            self._wanted.discard(stream_id)
            if performed:
                self._outbound.queue.reset(stream_id)
        self._tcb.events.append(OutgoingStreamsReset(stream_ids, performed))

    def _handle_request(self, request: OutgoingReset) -> None:
        """A new request, or the last one again; a deferred one is looked at anew (§5.2.1, §5.2.2)."""
        sequence = unwrap_tsn(request.request_sequence, self._peer_sequence)
        if self._deferred is None and self._is_repeated(sequence):
            return
        if sequence not in (self._peer_sequence, self._peer_sequence + 1):
            self._send(ResetResponse(request.request_sequence, ResetResult.BAD_SEQUENCE_NUMBER).to_parameter())
            return
        self._peer_sequence = sequence
        self._deferred = request
        if not self._perform_deferred():
            self._send(ResetResponse(request.request_sequence, ResetResult.IN_PROGRESS).to_parameter())

    def _is_repeated(self, sequence: int) -> bool:
        """Whether the last answered request came again; it gets the same answer."""
        if sequence != self._peer_sequence or not self._last_response:
            return False
        self._tcb.control.append(self._last_response)
        return True

    def _perform_deferred(self) -> bool:
        """Reset the peer's streams and say so, if all that it sent on them before is here (§5.2.2).

        One at a time, so that what is told to the owner waits nowhere but with the peer.
        """
        request, cumulative = self._deferred, self._inbound.cumulative_tsn
        is_early = self._is_untaken or self._inbound.is_behind
        if request is None or is_early or unwrap_tsn(request.last_tsn, cumulative) > cumulative:
            return False
        self._deferred = None
        self._inbound.reset_streams(request.stream_ids)
        self._tcb.events.append(IncomingStreamsReset(request.stream_ids))
        self._is_untaken = True
        self._last_response = self._send(ResetResponse(request.request_sequence, ResetResult.PERFORMED).to_parameter())
        return True

    def _refuse(self, sequence: int) -> None:
        unwrapped = unwrap_tsn(sequence, self._peer_sequence)
        if not self._is_repeated(unwrapped) and unwrapped == self._peer_sequence + 1:
            self._peer_sequence = unwrapped
            self._last_response = self._send(ResetResponse(sequence, ResetResult.DENIED).to_parameter())

    def _send(self, parameter: Parameter) -> bytes:
        chunk = encode_chunk(ChunkType.RE_CONFIG, encode_parameters([parameter]))
        self._tcb.control.append(chunk)
        return chunk
