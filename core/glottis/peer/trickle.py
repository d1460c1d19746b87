"""Our candidates: those that a description has, and those that are found too late for it (RFC 8838)."""

from collections.abc import Callable, Sequence

from glottis.contracts.notes import Note
from glottis.ice import IceState, IceTransport
from glottis.peer.events import LocalCandidate, LocalCandidatesEnded
from glottis.peer.negotiator import Negotiator
from glottis.sdp import Candidate
from glottis.wire.address import Address


class Trickle:
    """``tell`` hears of each that is to be trickled, and of their end; ``advance`` follows changes of ``ice``."""

    __slots__ = ("_advance", "_ended_ufrag", "_ice", "_negotiator", "_tell")

    def __init__(
        self,
        ice: IceTransport,
        negotiator: Negotiator,
        tell: Callable[[LocalCandidate | LocalCandidatesEnded | Note], None],
        advance: Callable[[float], None],
    ) -> None:
        self._ice = ice
        self._negotiator = negotiator
        self._tell = tell
        self._advance = advance
        self._ended_ufrag = ""
        """That of the generation whose end of candidates the peer is told."""

    @property
    def has_begun(self) -> bool:
        """Whether the peer has, or can have, a description of ours: what is found later is trickled."""
        return self._negotiator.has_described

    def are_described(self) -> None:
        """Those that there are, by a new description, and their end if it is known."""
        told = ", ".join(map(str, self._ice.local_candidates)) or "no candidates yet"
        end = "; there are no more" if self._negotiator.has_gathered else ""
        self._tell(Note("ice", f"the far end is told of {told}{end}"))
        self._note_end()

    def add(self, address: Address) -> None:
        """A socket's that was not there at first. Once there is a description, its candidate is trickled."""
        self._trickle(self._ice.add_local_candidate(address))

    def listen_on_stream(self, address: Address, announced: Sequence[Address]) -> None:
        """Be reached over TCP (RFC 6544) at ``address``, by which the owner accepts connections; the peer is told
        ``announced``. Before there is a description.
        """
        self._ice.add_stream_candidate(address, "passive", announced=announced)

    def connect_by_stream(self, address: Address) -> None:
        """Reach the peer over TCP, too, where it listens: from ``address``, whose port means nothing."""
        self._ice.add_stream_candidate(address, "active", announced=())

    def add_reflexive(self, address: Address, *, base: Address, server: str) -> None:
        """What ``server`` has seen of ``base``; the same. It comes too late after ``end``."""
        if not self._negotiator.has_gathered:
            self._trickle(self._ice.add_reflexive_candidate(address, base=base, server=server))

    def add_relayed(self, address: Address, *, mapped: Address | None, server: str) -> None:
        """What ``server`` lends, which has seen ``mapped`` of us; the same, but the next restart may use it."""
        self._trickle(self._ice.add_relayed_candidate(address, mapped=mapped, server=server))

    def remove_relayed(self, address: Address, now: float) -> None:
        """It is lent no more. Others may be found, for the next restart of ICE at the latest."""
        self._ice.remove_relayed_candidate(address, now)
        self._negotiator.has_gathered = False
        if self._ice.state is IceState.CHECKING:
            self._ended_ufrag = ""  # against RFC 8838 §13, but without another candidate there may be no way at all
        self._advance(now)

    def end(self) -> None:
        """There will be no others: said in the description, or trickled after it (RFC 8838 §13)."""
        if not self._negotiator.has_gathered:
            self._negotiator.has_gathered = True
            if self._can_trickle:
                self._note_end()
                self._tell(LocalCandidatesEnded(*self._negotiator.tagged_section, self._ice.local_ufrag))

    def _trickle(self, candidate: Candidate | None) -> None:
        if candidate is not None and self._can_trickle:
            self._tell(Note("ice", f"the far end is told of {candidate}"))
            self._tell(LocalCandidate(candidate, *self._negotiator.tagged_section, self._ice.local_ufrag))

    @property
    def _can_trickle(self) -> bool:
        """Nothing follows the end of candidates in its generation (RFC 8838 §13)."""
        return self.has_begun and self._ended_ufrag != self._ice.local_ufrag

    def _note_end(self) -> None:
        """If the peer is told of it."""
        if self._negotiator.has_gathered:
            self._ended_ufrag = self._ice.local_ufrag
