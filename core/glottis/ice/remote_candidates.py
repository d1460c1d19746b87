"""The candidates that the peer has signalled: which are kept, and how many."""

from collections.abc import Iterator
from typing import Final

from glottis.ice.policy import candidate_ip
from glottis.sdp.candidate import Candidate

MAX_REMOTE_CANDIDATES: Final = 16
"""Of one generation. Later ones are ignored: a caller could name hundreds of targets for the gateway's checks."""


class RemoteCandidates:
    """Signalled candidates by transport address. Unusable ones are counted, never an error (CONTRACT T15, T16)."""

    def __init__(self) -> None:
        self.signalled = False
        """Whether the peer has named any, usable or not."""
        self.ignored = 0
        self._ufrag: str | None = None
        self._candidates: dict[tuple[str, int], Candidate] = {}

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._candidates.values())

    def admit(self, candidate: Candidate) -> bool:
        """Keep a candidate, if it is usable, new, of the present generation, and within the bound."""
        self.signalled = True
        address = (candidate.address, candidate.port)
        useless = candidate_ip(candidate) is None or address in self._candidates or self._is_foreign(candidate)
        if useless or len(self._candidates) >= MAX_REMOTE_CANDIDATES:
            self.ignored += 1
            return False
        self._candidates[address] = candidate
        return True

    def set_generation(self, ufrag: str) -> None:
        """The peer's ufrag is known: drop what was admitted before and belongs to another."""
        self._ufrag = ufrag
        kept = {address: each for address, each in self._candidates.items() if not self._is_foreign(each)}
        self.ignored += len(self._candidates) - len(kept)
        self._candidates = kept

    def _is_foreign(self, candidate: Candidate) -> bool:
        """Of another ICE generation; a candidate that does not say belongs to this one (RFC 8838 §11)."""
        return None not in (self._ufrag, candidate.username_fragment) and self._ufrag != candidate.username_fragment
