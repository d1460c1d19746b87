"""The candidates that the peer has signalled: which are kept, and how many."""

from collections.abc import Callable, Iterator
from typing import Final

from glottis.ice.policy import candidate_ip
from glottis.sdp.candidate import Candidate

MAX_REMOTE_CANDIDATES: Final = 16
"""Of one generation, of those that can be paired. Later ones are ignored: a caller could name hundreds of targets for
the gateway's checks. As many others may wait for a local candidate that suits them."""


class RemoteCandidates:
    """Signalled candidates by transport address. Unusable ones are counted, never an error (CONTRACT T15, T16).

    ``can_pair`` says whether there is a local candidate for one, as things are now.
    """

    def __init__(self, can_pair: Callable[[Candidate], bool]) -> None:
        self.signalled = False
        """Whether the peer has named any, usable or not."""
        self._can_pair = can_pair
        self._ufrag: str | None = None
        self._candidates: dict[tuple[str, int], Candidate] = {}
        self._waiting: dict[tuple[str, int], Candidate] = {}
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
        address = (candidate.address, candidate.port)
        places = self._candidates if self._can_pair(candidate) else self._waiting
        if candidate_ip(candidate) is None or self._is_foreign(candidate):
            self._useless += 1
        elif address in places:
            pass  # in the description and trickled too, or described again: nothing is lost
        elif len(places) >= MAX_REMOTE_CANDIDATES:
            self._useless += 1
        else:
            places[address] = candidate
            return places is self._candidates
        return False

    def ignore(self, count: int) -> None:
        """The peer has named so many that could not even be read."""
        self.signalled = self.signalled or count > 0
        self._useless += count

    def set_generation(self, ufrag: str) -> None:
        """The peer's ufrag is known: drop what was admitted before and belongs to another."""
        self._ufrag = ufrag
        self.reconsider()

    def reconsider(self) -> None:
        """Admit all anew: there is another local candidate, and what waited for one like it takes a place."""
        known = (*self._candidates.values(), *self._waiting.values())
        self._candidates, self._waiting = {}, {}
        for candidate in known:
            self.admit(candidate)

    def _is_foreign(self, candidate: Candidate) -> bool:
        """Of another ICE generation; a candidate that does not say belongs to this one (RFC 8838 §11)."""
        return None not in (self._ufrag, candidate.username_fragment) and self._ufrag != candidate.username_fragment
