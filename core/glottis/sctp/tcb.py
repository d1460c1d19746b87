"""The Transmission Control Block (RFC 9260 §1.3): what the parts of one association share."""

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from glottis.contracts.short_queue import ShortQueue
from glottis.sctp.events import AssociationClosed, AssociationEnd, AssociationEvent, AssociationFailed, SendProgress
from glottis.sctp.limits import SctpLimits
from glottis.sctp.states import SENDS_DATA, TAKES_DATA, TRANSITIONS, Happening, State
from glottis.sctp.timers import RetransmissionTimeout, Timers
from glottis.wire.sctp import ChunkType, Parameter, encode_chunk, encode_packet, encode_parameters
from glottis.wire.sctp_chunks import Cause

_CHECKSUM_REQUIRED: Final = frozenset({ChunkType.INIT, ChunkType.INIT_ACK, ChunkType.COOKIE_ECHO})
"""RFC 9653 §5.2 wants a CRC32c on INIT and COOKIE ECHO; INIT ACK goes out before a peer is agreed on."""

_MAX_REASON: Final = 128
"""Bytes of text in an ABORT."""


class Peer(msgspec.Struct, frozen=True):
    """What the peer's INIT or INIT ACK said."""

    tag: int
    initial_tsn: int
    advertised_window: int
    inbound_streams: int
    forward_tsn: bool
    re_config: bool
    zero_checksum: bool


class Tcb:
    """State, timers, and what waits to be sent or told."""

    def __init__(self, rng: random.Random, limits: SctpLimits, local_port: int, remote_port: int) -> None:
        self.rng, self.limits = rng, limits
        self.local_port, self.remote_port = local_port, remote_port
        self.local_tag = new_tag(rng)
        self.initial_tsn = rng.getrandbits(32)
        self.peer: Peer | None = None
        self.state = State.CLOSED
        self.takes_data = self.sends_data = False
        """What the state means for DATA: asked for every chunk, so kept beside it."""
        self.ended = False
        """An association that has ended takes no cookie any more: it is CLOSED for good."""
        self.zero_checksum = False
        """Whether the peer takes packets without a checksum, as far as we know."""
        self.timers = Timers()
        self.rto = RetransmissionTimeout(limits)
        self.error_count = 0
        self.control: list[bytes] = []
        """Chunks that wait for the next packets."""
        self.packets: list[bytes] = []
        self.events: ShortQueue[AssociationEvent] = ShortQueue()
        self.progress: ShortQueue[SendProgress] = ShortQueue()

    def advance(self, happening: Happening) -> bool:
        """Change the state as the table says; False, and no change, where it says nothing."""
        state = TRANSITIONS.get((self.state, happening))
        if state is None:
            return False
        self.state = state
        self.takes_data, self.sends_data = state in TAKES_DATA, state in SENDS_DATA
        return True

    def seal(self, chunks: Sequence[bytes], tag: int | None = None) -> None:
        """Put ``chunks`` into a packet to the peer, or to whoever uses ``tag``."""
        known = self.peer.tag if self.peer is not None else 0
        header = (self.local_port, self.remote_port, known if tag is None else tag)
        zero_checksum = self.zero_checksum and chunks[0][0] not in _CHECKSUM_REQUIRED
        self.packets.append(encode_packet(header, chunks, zero_checksum=zero_checksum))

    def count_error(self) -> None:
        """The peer did not answer in time; too often in a row, and it is gone (RFC 9260 §8.1)."""
        self.zero_checksum = False  # it may have announced more than it keeps
        self.error_count += 1
        if self.error_count > self.limits.association_max_retrans:
            self.fail("the peer stopped answering")

    def abort(self, cause: Cause, reason: str, *, detail: bytes | None = None, tag: int | None = None) -> None:
        """Send ABORT with ``cause`` and ``detail`` (or else the reason as text), and fail with ``reason``."""
        if self.peer is not None or tag is not None:
            value = reason.encode()[:_MAX_REASON] if detail is None else detail
            self.seal([encode_chunk(ChunkType.ABORT, encode_parameters([Parameter(cause, value)]))], tag)
        self.fail(reason)

    def fail(self, reason: str, *, by_peer: bool = False) -> None:
        """End without a goodbye."""
        self.end(AssociationFailed(reason, by_peer))

    def close(self, reason: str) -> None:
        """End in an orderly way."""
        self.end(AssociationClosed(reason))

    def end(self, event: AssociationEnd) -> None:
        """CLOSED for good, which ``event`` tells as the last one."""
        if self.ended:
            return
        self.advance(Happening.END)
        self.ended = True
        self.timers.stop_all()
        self.control.clear()
        self.events.append(event)


def new_tag(rng: random.Random) -> int:
    """A verification tag: random and not zero (RFC 9260 §5.3.1)."""
    return rng.randrange(1, 1 << 32)
