"""Which pair carries the data, and which one a controlling agent nominates: RFC 8445 §8 and §12."""

import random

from glottis.ice.check_list import CheckList
from glottis.ice.consent import Consent
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.role import Role
from glottis.ice.timing import IceTiming
from glottis.wire.address import Path


class Selection:
    """Of the valid pairs that are alive: a nominated one if there is any, and of those the one of highest priority.

    Several pairs are nominated when the peer nominates aggressively, as Chromium does, or moves to another network. A
    silent pair gives way to a living one, and gets its place back when it revives. The living one may be unnominated:
    when a translator gives the peer a new address, the peer notices nothing (by RFC 8445 §12.1 the call would be lost).
    """

    def __init__(self, check_list: CheckList, role: Role, timing: IceTiming, rng: random.Random) -> None:
        self.pair: CandidatePair | None = None
        self.path: Path | None = None
        self.consent: Consent | None = None
        self._check_list = check_list
        self._role = role
        self._timing = timing
        self._rng = rng
        self._nominate_at: float | None = None

    def update(self, now: float) -> None:
        """Select anew, after checks, responses, and silence."""
        best = self._best(now)
        if best is not self.pair:
            self.pair = best
            self.consent = None
            if best is not None:
                self.consent = Consent(best, self._timing, self._rng, lite=self._role.lite)
        if best is not None:
            self.path = best.path
        elif self.path is None:
            self.path = next((pair.path for pair in self._check_list if pair.is_authenticated), None)

    def take_nominee(self, now: float) -> CandidatePair | None:
        """The pair to nominate now, once: the best valid one, when nothing better can come or enough time has passed.

        This is the regular nomination of RFC 8445 §8.1.1. Data does not wait for it.
        """
        if self.pair is None or not self._role.controlling or self._is_decided:
            self._nominate_at = None
            return None
        if self._nominate_at is None:
            self._nominate_at = now + self._timing.settle
        if now < self._nominate_at and self._may_improve_on(self.pair):
            return None
        self._nominate_at = None
        return self.pair

    def next_timeout(self, *, silent: bool) -> float | None:
        """When time alone changes something; ``silent`` says that the pair's silence has been noticed already."""
        if self.consent is None:
            return None
        consent = self.consent.next_timeout(silent=silent)
        return consent if self._nominate_at is None else min(consent, self._nominate_at)

    @property
    def _is_decided(self) -> bool:
        """Whether a pair is nominated or about to be. RFC 8445 §8.1.1 lets nobody change the nomination afterwards."""
        valid = (pair for pair in self._check_list if pair.state is PairState.SUCCEEDED)
        return any(pair.nominated or pair.nominating for pair in valid)

    def _best(self, now: float) -> CandidatePair | None:
        valid = [pair for pair in self._check_list if pair.state is PairState.SUCCEEDED]
        alive = [pair for pair in valid if self._is_alive(pair, now)]
        if not alive and self.pair in valid:
            return self.pair
        return max(alive or valid, key=self._rank, default=None)

    def _rank(self, pair: CandidatePair) -> tuple[bool, int]:
        return pair.nominated, self._check_list.priority(pair)

    def _is_alive(self, pair: CandidatePair, now: float) -> bool:
        if pair is self.pair and self.consent is not None:
            return not self.consent.is_silent(now)
        return pair.heard_at is not None and now - pair.heard_at < self._timing.silence

    def _may_improve_on(self, pair: CandidatePair) -> bool:
        undecided = (PairState.FROZEN, PairState.WAITING, PairState.IN_PROGRESS)
        priority = self._check_list.priority
        return any(other.state in undecided and priority(other) > priority(pair) for other in self._check_list)
