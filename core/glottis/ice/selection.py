"""Which pair carries the data, and which one a controlling agent nominates: RFC 8445 §8 and §12."""

import math
import random
from typing import Final

from glottis.contracts.moments import earliest
from glottis.ice.check_list import CheckList
from glottis.ice.checker import Checker
from glottis.ice.consent import Consent
from glottis.ice.events import IceState
from glottis.ice.farewell import Farewell
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.role import Role
from glottis.ice.timing import IceTiming
from glottis.wire.address import Path

NOMINATION_WINDOW: Final = 1.0
"""Seconds; nominations at shorter intervals are those of an agent that nominates what it finds (RFC 8445 §8.1.1)."""
MEDIA_WINDOW: Final = 0.1
"""Seconds that media must have stayed away from the selected pair while it came by another one."""


class Selection:
    """Of the valid pairs that are alive: the one nominated last, else the one of highest priority.

    Several pairs are nominated when the peer nominates aggressively, as Chromium does. Within ``NOMINATION_WINDOW``
    they are equals, and a controlled agent sends where the peer's media comes from; a later nomination tells that the
    peer moves to another network. A silent pair gives way to a living one, and gets its place back when it revives. The
    living one may be unnominated: when a translator gives the peer a new address, the peer notices nothing (by RFC 8445
    §12.1 the call would be lost).
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
        self._farewell: Farewell | None = None

    def update(self, now: float) -> None:
        """Select anew, after checks, responses, and silence."""
        best = self._best(now)
        if best is not self.pair:
            if self.pair is not None:
                self.pair.selected = False
            self.pair = best
            self.consent = None
            if best is not None:
                best.selected = True
                self.consent = Consent(best, self._timing, self._rng, lite=self._role.lite)
        if best is not None:
            self.path = best.path
        elif self.path is None or self._check_list.get(self.path) is None:
            self.path = next((pair.path for pair in self._check_list if pair.is_authenticated), None)

    def unsettle(self) -> CandidatePair | None:
        """The peer may leave this pair: the next that it nominates is no equal of it, however soon that is.

        Nor are those equals that the peer has left before, within the same second perhaps.
        """
        for pair in self._check_list:
            pair.nominated_at -= NOMINATION_WINDOW
        return self.pair

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

    def judge(self, now: float, *, is_complete: bool) -> tuple[IceState, str]:
        """The state that the selected pair is in, and why; ``is_complete``: nothing better is to come."""
        assert self.pair is not None
        assert self.consent is not None
        if self.consent.is_expired(now):
            return IceState.FAILED, "the peer has not renewed its consent"
        if self._farewell is not None and now >= self._farewell.over_at:
            if self._farewell.is_meant:
                return IceState.DISCONNECTED, "bye: the peer has said so, and does not answer"
            self._farewell = None
        if self.consent.is_silent(now):
            return IceState.DISCONNECTED, "the peer is silent"
        return (IceState.COMPLETED if self.pair.nominated and is_complete else IceState.CONNECTED), ""

    def handle_goodbye(self, checker: Checker, now: float) -> None:
        """Ask at once whether the peer has left. A lite agent cannot ask, and learns by silence."""
        if self.pair is not None and not self._role.lite and self._farewell is None:
            self._farewell = Farewell(self._check_list, self.pair, self._timing, now)
            checker.ask_quickly(self.pair, now, transmissions=self._timing.farewell_transmissions)

    def doubt(self, now: float) -> CandidatePair | None:
        """The peer is heard elsewhere: returns the pair that is to be asked whether it still is there, too."""
        pair = self.pair
        if pair is None or pair.heard_at is None or pair.is_doubted or now - pair.heard_at < self._timing.doubt_after:
            return None
        pair.doubted_at = now
        return pair

    def dormant(self, now: float) -> list[CandidatePair]:
        """Pairs that the peer has used, and not consented to lately."""
        lifetime = self._timing.consent_lifetime
        return [pair for pair in self._check_list if pair.is_authenticated and not pair.has_consent(now, lifetime)]

    def next_timeout(self, *, silent: bool) -> float | None:
        """When time alone changes something; ``silent`` says that the pair's silence has been noticed already."""
        if self.consent is None:
            return None
        farewell = None if self._farewell is None or silent else self._farewell.over_at
        return earliest(self.consent.next_timeout(silent=silent), farewell, self._nominate_at)

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
        return self._best_of_equals(self._nominated_last(alive or valid))

    @staticmethod
    def _nominated_last(pairs: list[CandidatePair]) -> list[CandidatePair]:
        """All, if none is nominated."""
        last = max((pair.nominated_at for pair in pairs), default=-math.inf)
        return [pair for pair in pairs if pair.nominated_at >= last - NOMINATION_WINDOW]

    def _best_of_equals(self, pairs: list[CandidatePair]) -> CandidatePair | None:
        """A controlled agent follows the media of the other, which knows best why it goes that way."""
        best = max(pairs, key=self._check_list.priority, default=None)
        if best is None or self._role.controlling:
            return best
        heard = max(pairs, key=lambda pair: pair.media_at)
        if heard.media_at == -math.inf:
            return best
        present = self.pair
        return present if present in pairs and heard.media_at - present.media_at < MEDIA_WINDOW else heard

    def _is_alive(self, pair: CandidatePair, now: float) -> bool:
        if pair is self.pair and self.consent is not None:
            return not self.consent.is_left(now)
        return pair.heard_at is not None and now - pair.heard_at < self._timing.silence and not pair.is_doubted

    def _may_improve_on(self, pair: CandidatePair) -> bool:
        undecided = (PairState.FROZEN, PairState.WAITING, PairState.IN_PROGRESS)
        priority = self._check_list.priority
        return any(other.state in undecided and priority(other) > priority(pair) for other in self._check_list)
