"""What is counted of the process as a whole, and of no call."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import trio
from msgspec.structs import replace

from glottis.media.ring import SLOT

logger = logging.getLogger(__name__)

INTERVAL: Final = 300.0
"""Seconds between looks at the counts."""
QUANTILE: Final = 0.99


class GatewayCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Since the start."""

    datagrams_of_nobody: int = 0
    """That belonged to no session."""
    datagrams_not_sent: int = 0
    """That the kernel refused: a full buffer or an unreachable destination."""
    streams_refused: int = 0
    """TCP connections of media that were too many, or no call's."""
    datagrams_not_streamed: int = 0
    """That a TCP connection had no room for."""
    stun_answers_ignored: int = 0
    """With an address that nobody can be reached by, or not from where was asked."""
    local_names_refused: int = 0
    """In ``.local``, that were not looked up because too many were already."""
    turn_messages_ignored: int = 0
    """That said nothing asked for, were not signed by the server, or came from peers without a permission."""
    datagrams_not_relayed: int = 0
    """That a TURN server did not permit, or not in time, or that its connection had no room for."""
    turn_addresses: int = 0
    """That TURN servers lend at present."""
    turn_servers_failing: int = 0
    """That lend none at present, though they were asked."""
    connections_dropped: int = 0
    """That one process has handed over and another one had no room for."""
    log_records_dropped: int = 0
    """That standard error took too slowly."""
    lateness_p99: float = 0.0
    """Seconds within which 99 % of the wheel's turns began: an upper bound."""
    longest_lateness: float = 0.0
    """Of a turn of the wheel, in seconds."""
    turn_length: float = SLOT
    """Of the wheel, in seconds: it becomes longer under load."""
    turn_length_changes: int = 0
    longest_collection: float = 0.0
    """Of garbage, in seconds: the one at the start of ``glottis serve``, when nobody waits, is left out."""
    media_load: float = 0.0
    """The share of time that media takes at present."""
    complexity: int = 0
    """At which calls are encoded at present, where a codec can be told."""
    times_lowered: int = 0
    """By one, because of load."""
    sessions_refused: int = 0
    """Because of load."""
    agent_processes: int = 0
    """That there are."""
    agent_processes_lost: int = 0
    """That have ended by themselves, or had to be ended."""
    calls_lost_with_processes: int = 0
    calls_without_process: int = 0
    """That found no place in any, and ended for it."""

    @classmethod
    def of_all(cls, counts: Iterable["GatewayCounts"]) -> "GatewayCounts":
        """Of several processes together: sums, but for what is the most or the least of any."""
        told = list(counts) or [cls()]
        values = {
            name: _TOGETHER.get(name, sum)([getattr(one, name) for one in told]) for name in cls.__struct_fields__
        }
        return cls(**values)

    def at_present(self, now: "GatewayCounts") -> "GatewayCounts":
        """The same with what ``now`` says of the moment."""
        return replace(self, **{name: getattr(now, name) for name in _AT_PRESENT})

    def __str__(self) -> str:
        return (
            f"datagrams of nobody {self.datagrams_of_nobody}, datagrams not sent {self.datagrams_not_sent}, "
            f"TCP connections refused {self.streams_refused}, datagrams not sent by TCP {self.datagrams_not_streamed}, "
            f"STUN answers ignored {self.stun_answers_ignored}, local names refused {self.local_names_refused}, "
            f"TURN messages ignored {self.turn_messages_ignored}, "
            f"datagrams not relayed {self.datagrams_not_relayed}, "
            f"TURN addresses {self.turn_addresses}, TURN servers failing {self.turn_servers_failing}, "
            f"connections dropped {self.connections_dropped}, "
            f"log records dropped {self.log_records_dropped}, media late by {self.lateness_p99 * 1e3:.0f} ms (p99), "
            f"{self.longest_lateness * 1e3:.0f} ms (longest), "
            f"turns of {self.turn_length * 1e3:.0f} ms (changed {self.turn_length_changes} times), "
            f"longest garbage collection {self.longest_collection * 1e3:.1f} ms, media takes {self.media_load:.0%} "
            f"of the time, complexity {self.complexity}, lowered {self.times_lowered} times, "
            f"sessions refused for load {self.sessions_refused}, agent processes {self.agent_processes}, "
            f"lost {self.agent_processes_lost} with {self.calls_lost_with_processes} calls, "
            f"calls without a process {self.calls_without_process}"
        )


_AT_PRESENT: Final = ("turn_length", "media_load", "complexity", "agent_processes")
_TOGETHER: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    **dict.fromkeys(("lateness_p99", "longest_lateness", "turn_length", "longest_collection", "media_load"), max),
    "complexity": min,
}


async def report(counts: Callable[[], GatewayCounts], interval: float = INTERVAL) -> None:
    """Log them now and then, if they have changed."""
    told = GatewayCounts()
    while True:
        await trio.sleep(interval)
        if (now := counts()) != told:
            told = now
            logger.info("the gateway has counted %s", now)
