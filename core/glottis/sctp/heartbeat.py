"""HEARTBEAT: whether an idle peer is still there (RFC 9260 §8.3)."""

from typing import Final

from glottis.sctp.states import State
from glottis.sctp.tcb import Tcb
from glottis.sctp.timers import Timer
from glottis.wire.sctp import ChunkType, Parameter, encode_chunk, encode_parameters

_HEARTBEAT_INFO: Final = 1


class Heartbeat:
    """Sends one each interval, and counts those that stay unanswered."""

    def __init__(self, tcb: Tcb) -> None:
        self._tcb = tcb
        self._unanswered: tuple[bytes, float] | None = None
        """The value of the last one, and when it was sent."""

    def begin(self, now: float) -> None:
        """The association is established, or the timer shall run anew."""
        interval = self._tcb.limits.heartbeat_interval + self._tcb.rto.seconds
        self._tcb.timers.start(Timer.HEARTBEAT, now + interval)

    def handle_timeout(self, now: float) -> None:
        """Time for the next one; until the last one is answered they come once per RTO."""
        if self._tcb.state is not State.ESTABLISHED:
            return
        if self._unanswered is not None:
            self._tcb.rto.back_off()
            self._tcb.count_error()
            if self._tcb.ended:
                return
        value = encode_parameters([Parameter(_HEARTBEAT_INFO, self._tcb.rng.randbytes(8))])
        self._unanswered = (value, now)
        self._tcb.control.append(encode_chunk(ChunkType.HEARTBEAT, value))
        self._tcb.timers.start(Timer.HEARTBEAT, now + self._tcb.rto.seconds)

    def handle_request(self, value: bytes) -> None:
        """Send the peer's value back; one that fits no packet of ours is ignored."""
        chunk = encode_chunk(ChunkType.HEARTBEAT_ACK, value)
        if len(chunk) <= self._tcb.limits.packet_capacity:
            self._tcb.control.append(chunk)

    def handle_ack(self, value: bytes, now: float) -> None:
        """The peer is there; anything but an echo of the last value is ignored."""
        if self._unanswered is None or value != self._unanswered[0]:
            return
        self._tcb.rto.measure(now - self._unanswered[1])
        self._tcb.error_count = 0
        self._unanswered = None
        self.begin(now)
