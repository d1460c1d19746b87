"""The intervals of a TURN client, in one place, so that tests and devices can choose others."""

from typing import Final

import msgspec


class TurnTiming(msgspec.Struct, frozen=True):
    """All times in seconds."""

    rto: float = 0.5
    """First retransmission over UDP, which doubles each time (RFC 8489 §6.2.1)."""
    transmissions: int = 7
    """Rc of RFC 8489 §6.2.1."""
    first_transmissions: int = 4
    """Of the request for an address: calls wait for it, and there may be other ways."""
    answer_rtos: int = 4
    """How many of the first RTO an answer may take after the last transmission (Rm, which RFC 8489 proposes as 16)."""
    stream_patience: float = 39.5
    """Ti: how long an answer may take on a stream, where nothing is sent again (RFC 8489 §6.2.2)."""
    release_transmissions: int = 3
    """Of the last request, for which nobody likes to wait; what is not released lapses."""
    probe_transmissions: int = 4
    """Of a refresh because of which calls wait: they hear nothing by this server."""
    probe_patience: float = 5.5
    """How long its answer may take on a stream: as long as over UDP."""
    lifetime: int = 600
    """What is asked for; the server may grant another one (RFC 8656 §3.2)."""
    refresh: float = 25.0
    """Between refreshes of the allocation, or half its lifetime if that is shorter. The lifetime would allow ten
    minutes; so often, they also keep the bindings of translators on the way, and show that the server is there."""
    permission: float = 300.0
    """How long the server keeps a permission (RFC 8656 §9)."""
    channel: float = 600.0
    """How long the server keeps the binding of a channel (RFC 8656 §12)."""
    margin: float = 60.0
    """Permissions and channels are refreshed so long before they lapse."""
    rest: float = 300.0
    """After a binding has lapsed, its number means no other peer for so long (RFC 8656 §12)."""
    refusal: float = 60.0
    """A peer that the server did not permit is not asked for again for so long."""


DEFAULT_TIMING: Final = TurnTiming()
