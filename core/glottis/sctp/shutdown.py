"""The end of an association: SHUTDOWN and its answers, and ABORT (RFC 9260 §9)."""

from typing import Final

from glottis.contracts.errors import Malformed
from glottis.sctp.inbound import Inbound
from glottis.sctp.serial import TSN_MASK
from glottis.sctp.states import Happening, State
from glottis.sctp.tcb import Tcb
from glottis.sctp.timers import Timer
from glottis.wire.sctp import ChunkType, encode_chunk, parse_parameters_untrusted
from glottis.wire.sctp_chunks import Cause

_GUARD_RTO_MAX: Final = 5
"""T5-shutdown-guard in units of RTO.Max (§9.2)."""


class Shutdown:
    """Owns T2 and T5."""

    def __init__(self, tcb: Tcb, inbound: Inbound) -> None:
        self._tcb = tcb
        self._inbound = inbound

    def request(self, now: float) -> None:
        """The owner wants an orderly end once everything is acknowledged."""
        if self._tcb.advance(Happening.SHUTDOWN_REQUESTED):
            self._tcb.timers.stop(Timer.HEARTBEAT)
            self._tcb.timers.start(Timer.T5_SHUTDOWN_GUARD, now + _GUARD_RTO_MAX * self._tcb.limits.rto_max)
        elif self._tcb.state in (State.CLOSED, State.COOKIE_WAIT, State.COOKIE_ECHOED):
            self._tcb.close("closed before the association was established")

    def all_acknowledged(self, now: float) -> None:
        """Nothing is outstanding: the next step of a shutdown that is under way."""
        if self._tcb.advance(Happening.ALL_ACKNOWLEDGED):
            self._send(now)

    def handle_shutdown(self, now: float) -> None:
        """The peer wants an orderly end, or has none of ours outstanding any more."""
        if self._tcb.advance(Happening.SHUTDOWN):
            self._tcb.timers.stop(Timer.HEARTBEAT)
            if self._tcb.state is State.SHUTDOWN_ACK_SENT:
                self._send(now)

    def handle_shutdown_ack(self) -> None:
        """The peer has nothing more to say."""
        if self._tcb.advance(Happening.SHUTDOWN_ACK):
            self._tcb.seal([encode_chunk(ChunkType.SHUTDOWN_COMPLETE)])
            self._tcb.close("shut down")

    def handle_shutdown_complete(self) -> None:
        """The peer has heard our SHUTDOWN ACK."""
        if self._tcb.advance(Happening.SHUTDOWN_COMPLETE):
            self._tcb.close("shut down by the peer")

    def handle_data(self, now: float) -> None:
        """DATA that arrives in SHUTDOWN-SENT is acknowledged by another SHUTDOWN (§9.2)."""
        if self._tcb.state is State.SHUTDOWN_SENT:
            self._send(now)

    def handle_t2(self, now: float) -> None:
        """SHUTDOWN or SHUTDOWN ACK was not answered in time."""
        self._tcb.rto.back_off()
        self._tcb.count_error()
        if not self._tcb.ended:
            self._send(now)

    def handle_t5(self, now: float) -> None:
        """It takes too long (§9.2)."""
        self._tcb.abort(Cause.USER_INITIATED_ABORT, "the shutdown took too long")

    def handle_abort(self, value: bytes) -> None:
        """The peer has ended the association; it may say why, but its words are not repeated."""
        self._tcb.fail(f"aborted by the peer: {_cause_name(value)}", by_peer=True)

    def _send(self, now: float) -> None:
        if self._tcb.state is State.SHUTDOWN_SENT:
            cumulative = (self._inbound.cumulative_tsn & TSN_MASK).to_bytes(4, "big")
            self._tcb.control.append(encode_chunk(ChunkType.SHUTDOWN, cumulative))
        else:
            self._tcb.control.append(encode_chunk(ChunkType.SHUTDOWN_ACK))
        self._tcb.timers.start(Timer.T2_SHUTDOWN, now + self._tcb.rto.seconds)


def _cause_name(value: bytes) -> str:
    try:
        causes = parse_parameters_untrusted(value)
        return Cause(causes[0].type).name.lower().replace("_", " ") if causes else "no cause given"
    except (Malformed, ValueError):
        return "unknown cause"
