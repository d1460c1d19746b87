"""The candidates that the peer has signalled: which are kept, and how many."""

from collections.abc import Callable, Iterator
from typing import Final

from glottis.contracts.notes import Notes
from glottis.ice.policy import candidate_ip, why_unusable
from glottis.sdp.candidate import Candidate

MAX_REMOTE_CANDIDATES: Final = 16
"""Of one generation, of those that can be paired. Later ones are ignored: a caller could name hundreds of targets for
the gateway's checks. As many others may wait for a local candidate that suits them."""


class RemoteCandidates:
    """Signalled candidates by transport address. Unusable ones are counted, never an error (CONTRACT T15, T16).

    ``can_pair`` says whether there is a local candidate for one, as things are now.
    """

    def __init__(self, can_pair: Callable[[Candidate], bool], notes: Notes) -> None:
        self.signalled = False
        """Whether the peer has named any, usable or not."""
        self.ufrag: str | None = None
        """Of the peer's present generation, once it is known."""
        self._can_pair = can_pair
        self._notes = notes
        self._candidates: dict[tuple[str, int, str], Candidate] = {}
        self._waiting: dict[tuple[str, int, str], Candidate] = {}
        self._useless = 0

    def __iter__(self) -> Iterator[Candidate]:
        """Those that can be paired."""
        return iter(self._candidates.values())

    @property
    def ignored(self) -> int:
        """How many cannot be paired."""
        return self._useless + len(self._waiting)

    def admit(self, candidate: Candidate) -> bool:
        """Keep a candidate, if it is usable, new, of the present generation, and within the bound.

        Says whether it can be paired now.
        """
        self.signalled = True
        is_paired, verdict = self._place(candidate)
        self._notes.add(f"the far end has {candidate}: {verdict}")
        return is_paired

    def _place(self, candidate: Candidate) -> tuple[bool, str]:
        """Whether it can be paired now, and in words what becomes of it."""
        address = (candidate.address, candidate.port, candidate.transport)
        places = self._candidates if self._can_pair(candidate) else self._waiting
        if candidate_ip(candidate) is None or self._is_foreign(candidate):
            self._useless += 1
            return False, f"ignored, {why_unusable(candidate) or 'it is of another generation'}"
        if address in places:
            return False, "known"  # in the description and trickled too, or described again: nothing is lost
        if len(places) >= MAX_REMOTE_CANDIDATES:
            self._useless += 1
            return False, "ignored, there are too many"
        places[address] = candidate
        if places is self._waiting:
            return False, "kept, but none of our addresses may check it"
        return True, "to be checked"

    def ignore(self, count: int) -> None:
        """The peer has named so many that could not even be read."""
        self.signalled = self.signalled or count > 0
        self._useless += count
        if count:
            self._notes.add(f"the far end has {count} more that cannot be used: unreadable, or of no section")

    @property
    def known(self) -> tuple[Candidate, ...]:
        """All that are usable, if not by us."""
        return (*self._candidates.values(), *self._waiting.values())

    def set_generation(self, ufrag: str) -> None:
        """The peer's ufrag is known: drop what was admitted before and belongs to another."""
        self.ufrag = ufrag
        self.reconsider()

    def forget(self) -> None:
        """The peer has others from now on, which take the places of these."""
        self._useless += len(self._waiting)
        self._candidates, self._waiting = {}, {}

    def reconsider(self) -> None:
        """Admit all anew: there is another local candidate, and what waited for one like it takes a place."""
        known = self.known
        self._candidates, self._waiting = {}, {}
        for candidate in known:
            self._place(candidate)

    def _is_foreign(self, candidate: Candidate) -> bool:
        """Of another ICE generation; a candidate that does not say belongs to this one (RFC 8838 §11)."""
        return None not in (self.ufrag, candidate.username_fragment) and self.ufrag != candidate.username_fragment
