"""The peer's candidates: those of its descriptions, and those that it trickles (RFC 8838), perhaps before."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from glottis.contracts.errors import Malformed
from glottis.contracts.notes import Note
from glottis.ice import IceTransport
from glottis.peer.events import CandidateUnmatched, NameSignalled
from glottis.peer.negotiator import Negotiator
from glottis.sdp import Candidate, Negotiation, parse_candidate_untrusted
from glottis.wire.mdns import is_hidden_name

MAX_EARLY_CANDIDATES: Final = 32
"""Usable trickled candidates kept until there is a description; further ones are ignored, as ICE could use no more."""
MAX_FORMER: Final = 4
"""Generations of the peer's that are remembered: what comes late is told from what comes early."""
MAX_NAMES: Final = 4
"""Of multicast DNS that the owner is told; a page has one for each interface of its machine."""


class _Trickled(NamedTuple):
    """A candidate and what says whose it is; without one it is the end of candidates."""

    candidate: Candidate | None
    mid: str | None
    media_index: int | None


class SignalledCandidates:
    """Gives the agent what is for its section, and keeps what comes before its description, the first or a later one.

    What cannot be used is ignored and counted, be it that it cannot be read or is of an older generation (RFC 8839
    §5.1, RFC 8838 §10). ``tell`` hears of candidates that are for no section at all, and of those that are hidden
    behind a name. ``advance`` is called after the agent was given some.
    """

    __slots__ = ("_advance", "_agent", "_early", "_former", "_names", "_negotiator", "_tell")

    def __init__(
        self,
        agent: IceTransport,
        negotiator: Negotiator,
        tell: Callable[[CandidateUnmatched | NameSignalled | Note], None],
        advance: Callable[[float], None],
    ) -> None:
        self._agent = agent
        self._negotiator = negotiator
        self._tell = tell
        self._advance = advance
        self._names: set[str] = set()
        self._early: list[_Trickled] = []
        self._former: tuple[str, ...] = ()
        """Ufrags of the peer's, the present one last."""

    def describe(self, negotiation: Negotiation, now: float) -> None:
        """Take those of a description, also of a later one, where some peers put what they do not trickle."""
        remote = negotiation.remote
        if remote.ice_ufrag not in self._former[-1:]:
            self._former = (*self._former[1 - MAX_FORMER :], remote.ice_ufrag)
        self._agent.ignore_candidates(remote.ignored_candidates, now)
        self._take(remote.candidates, now)
        if remote.end_of_candidates:
            self._agent.end_of_candidates(now)
        early, self._early = self._early, []
        for trickled in early:
            self._match(trickled, negotiation, now)

    def expect_from(self, before: "SignalledCandidates") -> None:
        """What has come there ahead of an offer that is for this connection is for this one, too."""
        self._early, before._early = before._early, []

    def add_untrusted(
        self, text: str, *, mid: str | None, media_index: int | None, username_fragment: str | None, now: float
    ) -> None:
        """Take a trickled one, or the end of candidates if ``text`` is empty. Never raises."""
        try:
            candidate = parse_candidate_untrusted(text) if text else None
        except Malformed:
            self._agent.ignore_candidates(1, now)
        else:
            self._add(_Trickled(candidate, mid, media_index), username_fragment, now)
        self._advance(now)

    def add_found(self, candidate: Candidate, host: str, now: float) -> None:
        """One behind a name (``NameSignalled``) has this IP address, and is taken like any other."""
        self._agent.add_remote_candidates([replace(candidate, address=host)], now)
        self._advance(now)

    def _add(self, trickled: _Trickled, username_fragment: str | None, now: float) -> None:
        candidate, current = trickled.candidate, self._negotiator.current
        if candidate is not None and username_fragment and candidate.username_fragment is None:
            trickled = trickled._replace(candidate=replace(candidate, username_fragment=username_fragment))
        if candidate is None and current is not None and username_fragment not in (None, "", current.remote.ice_ufrag):
            return  # the end of an older generation, RFC 8838 §10
        if current is not None and not self._is_ahead(trickled.candidate):
            self._match(trickled, current, now)
        elif trickled not in self._early:
            self._keep(trickled, now)

    def _is_ahead(self, candidate: Candidate | None) -> bool:
        """Whether it is of a generation that is yet to be described: it may overtake the offer that restarts ICE."""
        ufrag = candidate.username_fragment if candidate is not None else None
        return ufrag is not None and ufrag not in self._former

    def _keep(self, trickled: _Trickled, now: float) -> None:
        """Until there is a description; what is of no use takes no place."""
        is_usable = trickled.candidate is None or self._agent.can_pair(trickled.candidate)
        if is_usable and len(self._early) < MAX_EARLY_CANDIDATES:
            self._early.append(trickled)
            self._tell(Note("ice", f"the far end has {trickled.candidate or 'no more'}: kept until it is described"))
        else:
            self._agent.ignore_candidates(1, now)

    def _match(self, trickled: _Trickled, negotiation: Negotiation, now: float) -> None:
        """Only candidates of the bundle's tagged section count: the others' ports are closed (RFC 9143 §7.1.3)."""
        candidate, mid, media_index = trickled
        section = negotiation.section_of(mid, media_index)
        if section is None and candidate is not None:
            self._tell(CandidateUnmatched())
            self._agent.ignore_candidates(1, now)
        if section != negotiation.remote.media_index:
            return
        if candidate is None:
            self._agent.end_of_candidates(now)
        else:
            self._take([candidate], now)

    def _take(self, candidates: Sequence[Candidate], now: float) -> None:
        self._agent.add_remote_candidates(candidates, now)
        for candidate in candidates:
            is_hidden = candidate.type == "host" and candidate.transport == "udp" and is_hidden_name(candidate.address)
            if is_hidden and candidate.address not in self._names and len(self._names) < MAX_NAMES:
                self._names.add(candidate.address)
                self._tell(NameSignalled(candidate))
