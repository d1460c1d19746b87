"""The check list: which pairs there are and which is checked next, RFC 8445 §6.1.2 and §6.1.4."""

from collections.abc import Iterator
from typing import Final

from glottis.contracts.notes import Notes
from glottis.contracts.short_queue import ShortQueue
from glottis.ice.events import PathAuthenticated
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.role import Role
from glottis.wire.address import Address, Path

MAX_PAIRS: Final = 32
"""RFC 8445 §6.1.2.5 asks for a limit below 100; browsers make a handful."""

_PENDING: Final = (PairState.WAITING, PairState.IN_PROGRESS)


class CheckList:
    """Pairs by path, at most ``MAX_PAIRS``; the least promising one makes room for a better one.

    ``released`` collects the paths of those that the peer had used and that are gone, oldest first.
    """

    def __init__(self, role: Role) -> None:
        self.released: list[Path] = []
        self.notes = Notes("ice")
        """Of all who work on the list."""
        self.paths_given_up = 0
        """How many pairs that the peer had used lately have given way to others."""
        self._role = role
        self._pairs: dict[Path, CandidatePair] = {}
        self._triggered: ShortQueue[CandidatePair] = ShortQueue()  # each pair at most once, so bounded with them
        self._concluded = False

    def __iter__(self) -> Iterator[CandidatePair]:
        return iter(self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def get(self, path: Path) -> CandidatePair | None:
        """The pair whose datagrams take this path."""
        return self._pairs.get(path)

    def authentication(self, path: Path) -> PathAuthenticated | None:
        """How well the peer has proved to be at the end of this path."""
        pair = self._pairs.get(path)
        return PathAuthenticated(path, pair.is_proven) if pair is not None and pair.is_authenticated else None

    def priority(self, pair: CandidatePair) -> int:
        """In the present role: a switch of roles reorders the list (RFC 8445 §7.3.1.1)."""
        return pair.priority(controlling=self._role.controlling)

    def add(self, pair: CandidatePair) -> None:
        """A pair made of candidates. A second pair of the same path is redundant (RFC 8445 §6.1.2.4)."""
        known = self._pairs.get(pair.path)
        if known is not None and known.remote.type == "prflx":
            known.remote = pair.remote  # a check was faster than signaling; now both agents know the same priority
        if known is not None or self._concluded or not self._make_room(self.priority(pair)):
            return
        foundation = pair.foundation
        rivals = [other for other in self._pairs.values() if other.foundation == foundation]
        self._pairs[pair.path] = pair
        # RFC 8445 §6.1.2.6, RFC 8838 §12: one pair of each foundation goes first; where one has succeeded, all may.
        if not rivals or any(other.state is PairState.SUCCEEDED for other in rivals):
            pair.state = PairState.WAITING

    def add_proven(self, pair: CandidatePair, *, silent_since: float) -> bool:
        """A pair learned from an authenticated check; says whether there was room.

        Of pairs that the peer has used, the one unheard for longest gives way, if it is silent since then at least.
        """
        if not self._make_room(None) and not self._give_up_path(silent_since):
            return False
        self._pairs[pair.path] = pair
        return True

    def trigger(self, pair: CandidatePair) -> None:
        """Check this pair next, RFC 8445 §7.3.1.4."""
        pair.state = PairState.WAITING
        if pair not in self._triggered:
            self._triggered.append(pair)

    def next_pair(self) -> CandidatePair | None:
        """Take the pair to check now, RFC 8445 §6.1.4.2: triggered, else the best waiting, else the best thawed."""
        while self._triggered:
            pair = self._triggered.popleft()
            if pair.state is PairState.WAITING:  # an earlier check may have been answered meanwhile
                return pair
        self._thaw()
        waiting = [pair for pair in self if pair.state is PairState.WAITING]
        return max(waiting, key=self.priority, default=None)

    @property
    def has_work(self) -> bool:
        """Whether ``next_pair`` has one to give."""
        self._thaw()
        return any(pair.state is PairState.WAITING for pair in self)

    def unfreeze(self, foundation: tuple[str, str]) -> None:
        """A pair of this foundation succeeded: its like are worth checking, RFC 8445 §7.2.5.3.3."""
        for pair in self:
            if pair.state is PairState.FROZEN and pair.foundation == foundation:
                pair.state = PairState.WAITING

    def conclude(self) -> None:
        """A pair is nominated: only what the peer itself asks for is checked from now on, RFC 8445 §8.1.2."""
        self._concluded = True
        idle = (PairState.FROZEN, PairState.WAITING)
        self._pairs = {p.path: p for p in self if p.state not in idle or p.is_authenticated}

    def reopen(self) -> None:
        """Candidates that are new make pairs again."""
        self._concluded = False

    def retire(self, heard_before: float) -> None:
        """Pairs that the peer has left, after a change of its address for example, no longer hold their place."""
        for pair in [pair for pair in self if not pair.selected and pair.was_left(heard_before)]:
            self._drop(pair)

    def drop_base(self, base: Address) -> None:
        """Nothing comes or leaves there any more."""
        for pair in [pair for pair in self if pair.path.local == base]:
            self._drop(pair)

    def count(self, *states: PairState) -> int:
        """How many pairs are in one of these states."""
        return sum(pair.state in states for pair in self)

    def _thaw(self) -> None:
        """Where no pair of a foundation is under way any more, the best frozen one gets its turn."""
        frozen = [pair for pair in self if pair.state is PairState.FROZEN]
        if not frozen:
            return
        busy = {pair.foundation for pair in self if pair.state in _PENDING}
        for pair in sorted(frozen, key=self.priority, reverse=True):
            if pair.foundation not in busy:
                pair.state = PairState.WAITING
                busy.add(pair.foundation)

    def _make_room(self, priority: int | None) -> bool:
        """RFC 8445 §6.1.2.5: the lowest priority goes. Pairs that the peer has used stay, unless they have failed."""
        if len(self._pairs) < MAX_PAIRS:
            return True
        spare = [
            pair for pair in self if not pair.selected and (not pair.is_authenticated or pair.state is PairState.FAILED)
        ]
        worst = min(spare, key=self.priority, default=None)
        if worst is None or (priority is not None and priority <= self.priority(worst)):
            return False
        self._drop(worst)
        return True

    def _give_up_path(self, silent_since: float) -> bool:
        silent = [pair for pair in self if not pair.selected and pair.was_left(silent_since)]
        longest = min(silent, key=lambda pair: pair.heard_at or 0.0, default=None)
        if longest is None:
            return False
        self._drop(longest)
        self.paths_given_up += 1
        return True

    def _drop(self, pair: CandidatePair) -> None:
        del self._pairs[pair.path]
        if pair in self._triggered:
            self._triggered.remove(pair)
        if pair.is_authenticated:
            self.released.append(pair.path)
