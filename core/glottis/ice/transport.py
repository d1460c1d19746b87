"""The ICE of a connection from its beginning to its end, over restarts (RFC 8445 §9, W3C's RTCIceTransport).

Each restart begins another generation of candidates (RFC 8838 §2), which has an agent of its own. The agent before goes
on until the new one has a nominated pair, and a little longer for what is under way.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from glottis.contracts.errors import Malformed
from glottis.contracts.moments import earliest
from glottis.contracts.notes import Note
from glottis.contracts.short_queue import ShortQueue
from glottis.ice.agent import IceAgent
from glottis.ice.credentials import Credentials
from glottis.ice.events import (
    IceEvent,
    IceState,
    PathAuthenticated,
    PathGivenUp,
    PathReleased,
    SelectedPathChanged,
    StateChanged,
)
from glottis.ice.pair import CandidatePair
from glottis.sdp.candidate import Candidate
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.demux import (
    is_stun_request,
    is_stun_response,
    stun_local_ufrag_untrusted,
    stun_transaction_id_untrusted,
)

LINGER: Final = 1.0
"""Seconds from the nomination of a new pair to the end of the old generation: its last datagrams may be overtaken, and
the peer may go on sending by its path until it knows of the nomination."""

LEFT_BEHIND: Final = 0.5
"""Seconds without any sign of the peer by the old generation, while there are some by the new one: some packets of a
peer that is silent (DTX) come each 400 ms."""

_UP: Final = (IceState.CONNECTED, IceState.COMPLETED)
_OVER: Final = (IceState.FAILED, IceState.CLOSED)


class _Counted(NamedTuple):
    """By agents that are no more."""

    dropped_datagrams: int = 0
    ignored_candidates: int = 0
    paths_given_up: int = 0


class IceTransport:
    """The same verbs as those of its agents. ``agent`` is that of the first generation.

    A restart also brings a failed transport back to life. Two agents at most are there at a time: of those before a
    restart the younger one that works goes on.
    """

    def __init__(self, agent: IceAgent) -> None:
        self.state = agent.state
        self._agent = agent
        self._older: IceAgent | None = None
        self._older_ends_at: float | None = None
        self._has_restarted = False
        self._counted = _Counted()
        self.selected_path: Path | None = None
        """That of the agent whose path data takes; each packet that is sent asks for it."""
        self._told_path: Path | None = None
        self._giving_up_is_told = False
        self._events: ShortQueue[IceEvent] = ShortQueue()

    # What there is

    @property
    def lite(self) -> bool:
        """See ``IceAgent``, as of all that is named alike."""
        return self._agent.lite

    @property
    def credentials(self) -> Credentials:
        """Of the present generation."""
        return Credentials(self._agent.local_ufrag, self._agent.local_pwd)

    @property
    def local_ufrag(self) -> str:
        return self._agent.local_ufrag

    @property
    def local_pwd(self) -> str:
        return self._agent.local_pwd

    @property
    def local_ufrags(self) -> tuple[str, ...]:
        """What the peer's checks are addressed to, the present generation's first."""
        return tuple(agent.local_ufrag for agent in self._agents)

    @property
    def controlling(self) -> bool:
        return self._agent.controlling

    @property
    def local_candidates(self) -> tuple[Candidate, ...]:
        return self._agent.local_candidates

    @property
    def dropped_datagrams(self) -> int:
        return self._counted.dropped_datagrams + sum(agent.dropped_datagrams for agent in self._agents)

    @property
    def remote_candidates(self) -> tuple[Candidate, ...]:
        return self._agent.remote_candidates

    @property
    def ignored_candidates(self) -> int:
        return self._counted.ignored_candidates + sum(agent.ignored_candidates for agent in self._agents)

    @property
    def paths_given_up(self) -> int:
        return self._counted.paths_given_up + sum(agent.paths_given_up for agent in self._agents)

    @property
    def selected_pair(self) -> CandidatePair | None:
        return self._carrier.selected_pair

    def pairs(self) -> tuple[CandidatePair, ...]:
        """Of both generations, while there are two."""
        return tuple(pair for agent in self._agents for pair in agent.pairs())

    def can_pair(self, candidate: Candidate) -> bool:
        return self._agent.can_pair(candidate)

    def is_authenticated(self, path: Path) -> bool:
        return any(agent.is_authenticated(path) for agent in self._agents)

    # What the owner wants

    def for_another_peer(self, credentials: Credentials) -> "IceTransport":
        """One with the same local candidates, which knows nothing of the peer, and is to be offered to."""
        return IceTransport(self._agent.successor(credentials, same_peer=False))

    def count_on(self, before: "IceTransport") -> None:
        """What that one has counted counts here."""
        ours = self._counted
        self._counted = _Counted(
            ours.dropped_datagrams + before.dropped_datagrams,
            ours.ignored_candidates + before.ignored_candidates,
            ours.paths_given_up + before.paths_given_up,
        )

    def take_control(self) -> None:
        self._agent.take_control()

    def add_local_candidate(self, address: Address, *, announced: Sequence[Address] | None = None) -> Candidate:
        """Of the present generation; the old one does with what it has."""
        return self._agent.add_local_candidate(address, announced=announced)

    def add_stream_candidate(
        self, address: Address, tcp_type: Literal["active", "passive"], *, announced: Sequence[Address]
    ) -> Candidate:
        """The same."""
        return self._agent.add_stream_candidate(address, tcp_type, announced=announced)

    def add_reflexive_candidate(self, address: Address, *, base: Address, server: str) -> Candidate | None:
        """The same."""
        return self._agent.add_reflexive_candidate(address, base=base, server=server)

    def add_relayed_candidate(self, address: Address, *, mapped: Address | None, server: str) -> Candidate | None:
        """The same."""
        return self._agent.add_relayed_candidate(address, mapped=mapped, server=server)

    def remove_relayed_candidate(self, address: Address, now: float) -> None:
        """Of both."""
        for agent in self._agents:
            agent.remove_relayed_candidate(address, now)
        self._conclude(now)

    def restart(self, credentials: Credentials, now: float) -> None:
        """Begin another generation, which is to be given the peer's new parameters (RFC 8445 §9).

        The role stays as it is, and so do the local candidates.
        """
        if self.state is IceState.CLOSED:
            return
        before, older = self._agent, self._older
        self._events.append(Note("ice", f"ICE restarts; our ufrag is {credentials.ufrag} from now on"))
        self._agent = before.successor(credentials)
        self._has_restarted = True
        self._older_ends_at = None
        if older is not None and not _works(before) and older.state not in _OVER:
            self._retire(before)
        else:
            self._older = before
            self._retire(older)
        self._conclude(now)

    def set_remote_parameters(self, ufrag: str, pwd: str, *, lite: bool = False, now: float) -> None:
        self._agent.set_remote_parameters(ufrag, pwd, lite=lite, now=now)
        self._conclude(now)

    def add_remote_candidates(self, candidates: Iterable[Candidate], now: float) -> None:
        self._agent.add_remote_candidates(candidates, now)
        self._conclude(now)

    def ignore_candidates(self, count: int, now: float) -> None:
        self._agent.ignore_candidates(count, now)
        self._conclude(now)

    def end_of_candidates(self, now: float) -> None:
        self._agent.end_of_candidates(now)
        self._conclude(now)

    def handle_traffic(self, path: Path, now: float) -> bool:
        changed = self._agent.handle_traffic(path, now)
        if self._older is not None:
            changed = self._older.handle_traffic(path, now) or changed
        if changed:
            self._conclude(now)
        return changed

    def handle_goodbye(self, now: float) -> None:
        """By whatever path."""
        for agent in self._agents:
            agent.handle_goodbye(now)

    def reopen(self, now: float) -> None:
        """Of the present generation."""
        self._agent.reopen(now)

    def close(self) -> None:
        """Be silent for ever."""
        for agent in self._agents:
            agent.close()
        self.selected_path = None
        self._enter(IceState.CLOSED)

    # The engine's verbs

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        older = self._older
        addressee = older if older is not None and _is_for(older, data) else self._agent
        addressee.handle_datagram(data, path, now)
        self._conclude(now)

    def handle_timeout(self, now: float) -> None:
        for agent in self._agents:
            agent.handle_timeout(now)
        self._conclude(now)

    def next_timeout(self) -> float | None:
        return earliest(self._older_ends_at, *(agent.next_timeout() for agent in self._agents))

    def datagrams_to_send(self) -> list[Datagram]:
        return [datagram for agent in self._agents for datagram in agent.datagrams_to_send()]

    def next_event(self) -> IceEvent | None:
        return self._events.popleft() if self._events else None

    # Two generations seen as one

    @property
    def _agents(self) -> tuple[IceAgent, ...]:
        return (self._agent,) if self._older is None else (self._agent, self._older)

    @property
    def _carrier(self) -> IceAgent:
        """Whose path data takes: that of the old generation until the new one has a nominated pair, while it works.

        A peer that has been heard by the new generation alone for a while has another network.
        """
        older = self._older
        if older is None or older.state in _OVER or _is_nominated(self._agent):
            return self._agent
        is_gone = older.state not in _UP or _heard_at(self._agent) > _heard_at(older) + LEFT_BEHIND
        return self._agent if is_gone and self._agent.state in _UP else older

    def _conclude(self, now: float) -> None:
        """Draw the conclusions after anything has happened to an agent."""
        for agent in self._agents:
            while (event := agent.next_event()) is not None:
                self._take(event)
        self._end_older(now)
        carrier = self._carrier
        path = self.selected_path = carrier.selected_path
        if path is not None and path != self._told_path:
            self._told_path = path
            self._events.append(SelectedPathChanged(path))
        is_waiting = carrier.state is IceState.NEW and self._has_restarted
        self._enter(IceState.CHECKING if is_waiting else carrier.state, carrier.reason)

    def _take(self, event: IceEvent) -> None:
        match event:
            case PathAuthenticated() | Note():
                self._events.append(event)
            case PathReleased(path):
                self._release(path)
            case PathGivenUp() if not self._giving_up_is_told:
                self._giving_up_is_told = True
                self._events.append(event)
            case _:
                pass  # told of the transport as a whole

    def _release(self, path: Path) -> None:
        """Nobody is at its end any more, unless another generation knows better."""
        if not self.is_authenticated(path):
            self._events.append(PathReleased(path))

    def _end_older(self, now: float) -> None:
        """Once it has failed, or has been replaced for long enough."""
        older = self._older
        if older is None:
            return
        if self._older_ends_at is None and _is_nominated(self._agent):
            self._older_ends_at = now + LINGER
        if older.state in _OVER or (self._older_ends_at is not None and now >= self._older_ends_at):
            self._older = self._older_ends_at = None
            self._retire(older)

    def _retire(self, agent: IceAgent | None) -> None:
        """One that is no longer among the agents."""
        if agent is None:
            return
        paths = [pair.path for pair in agent.pairs() if pair.is_authenticated]
        counted = self._counted
        self._counted = _Counted(
            counted.dropped_datagrams + agent.dropped_datagrams,
            counted.ignored_candidates + agent.ignored_candidates,
            counted.paths_given_up + agent.paths_given_up,
        )
        agent.close()
        for path in paths:
            self._release(path)

    def _enter(self, state: IceState, reason: str = "") -> None:
        if state is not self.state:
            self.state = state
            self._events.append(StateChanged(state, reason))


def _is_for(agent: IceAgent, data: bytes) -> bool:
    """Whether a STUN datagram is for this generation: a check to its ufrag, or the response to one of its own."""
    try:
        if is_stun_request(data):
            return stun_local_ufrag_untrusted(data) == agent.local_ufrag
        return is_stun_response(data) and agent.awaits(stun_transaction_id_untrusted(data))
    except Malformed:
        return False


def _heard_at(agent: IceAgent) -> float:
    """By the path that its data would take."""
    pair = agent.selected_pair
    return -math.inf if pair is None or pair.heard_at is None else pair.heard_at


def _works(agent: IceAgent) -> bool:
    return agent.selected_pair is not None and agent.state not in _OVER


def _is_nominated(agent: IceAgent) -> bool:
    pair = agent.selected_pair
    return pair is not None and pair.nominated and agent.state not in _OVER
