"""Which pair is checked next, and which one has to go."""

from collections.abc import Callable

import pytest
from glottis.ice.check_list import MAX_PAIRS, CheckList
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.role import Role
from glottis.sdp.candidate import Candidate
from glottis.wire.address import Address, Path

LOCAL = Address("198.51.100.7", 50002)
MakeCandidate = Callable[..., Candidate]
MakePair = Callable[..., CandidatePair]


@pytest.fixture
def check_list() -> CheckList:
    return CheckList(Role(controlling=True, tie_breaker=0))


@pytest.fixture
def make_pair(make_candidate: MakeCandidate) -> MakePair:
    def make(port: int, priority: int = 100, foundation: str = "1") -> CandidatePair:
        remote = make_candidate("192.0.2.1", port, priority=priority, foundation=foundation)
        return CandidatePair(Path(LOCAL, Address("192.0.2.1", port)), make_candidate(*LOCAL), remote)

    return make


def test_one_pair_of_each_foundation_is_checked_first(check_list: CheckList, make_pair: MakePair) -> None:
    first, like_first, other = make_pair(1, 300), make_pair(2, 200), make_pair(3, 100, foundation="2")
    for pair in (first, like_first, other):
        check_list.add(pair)
    assert check_list.next_pair() is first
    first.state = PairState.IN_PROGRESS
    assert check_list.next_pair() is other
    other.state = PairState.IN_PROGRESS
    assert check_list.next_pair() is None
    assert not check_list.has_work


def test_success_unfreezes_the_like(check_list: CheckList, make_pair: MakePair) -> None:
    first, like_first = make_pair(1), make_pair(2)
    check_list.add(first)
    check_list.add(like_first)
    first.state = PairState.SUCCEEDED
    check_list.unfreeze(first.foundation)
    assert check_list.next_pair() is like_first


def test_failure_lets_the_like_have_their_turn(check_list: CheckList, make_pair: MakePair) -> None:
    first, like_first = make_pair(1), make_pair(2)
    check_list.add(first)
    check_list.add(like_first)
    first.state = PairState.FAILED
    assert check_list.has_work
    assert check_list.next_pair() is like_first


def test_triggered_check_goes_before_better_pairs(check_list: CheckList, make_pair: MakePair) -> None:
    better, triggered = make_pair(1, 300), make_pair(2, 200, foundation="2")
    check_list.add(better)
    check_list.add(triggered)
    check_list.trigger(triggered)
    check_list.trigger(triggered)
    assert check_list.next_pair() is triggered
    triggered.state = PairState.IN_PROGRESS
    assert check_list.next_pair() is better


def test_pair_that_succeeds_while_it_waits_for_its_triggered_check_is_left_alone(
    check_list: CheckList, make_pair: MakePair
) -> None:
    pair = make_pair(1)
    check_list.add(pair)
    check_list.trigger(pair)
    pair.succeed(1.0)
    assert not check_list.has_work
    assert check_list.next_pair() is None


def test_second_pair_of_a_path_is_redundant(check_list: CheckList, make_pair: MakePair) -> None:
    check_list.add(make_pair(1, 300))
    check_list.add(make_pair(1, 200))
    assert len(check_list) == 1


def test_full_list_gives_up_its_worst_pair_for_a_better_one_only(check_list: CheckList, make_pair: MakePair) -> None:
    for number in range(MAX_PAIRS):
        check_list.add(make_pair(1000 + number, 100 + number))
    check_list.add(make_pair(9, 50))
    assert check_list.get(make_pair(9).path) is None
    check_list.add(make_pair(10, 500))
    assert check_list.get(make_pair(10).path) is not None
    assert check_list.get(make_pair(1000).path) is None
    assert len(check_list) == MAX_PAIRS


def used_pairs(check_list: CheckList, make_pair: MakePair) -> list[CandidatePair]:
    """As many as there are places; the first has been selected, the second been unheard for longest, since 1.0."""
    pairs = [make_pair(1000 + number) for number in range(MAX_PAIRS)]
    for number, pair in enumerate(pairs):
        pair.heard_at = float(number)
        assert check_list.add_proven(pair, silent_since=0.0)
    pairs[0].selected = True
    return pairs


def test_pairs_that_the_peer_uses_are_not_given_up(check_list: CheckList, make_pair: MakePair) -> None:
    used_pairs(check_list, make_pair)
    assert not check_list.add_proven(make_pair(9), silent_since=1.0)
    assert (check_list.released, check_list.paths_given_up) == ([], 0)


def test_of_used_pairs_that_unheard_for_longest_gives_way_but_never_the_selected_one(
    check_list: CheckList, make_pair: MakePair
) -> None:
    pairs = used_pairs(check_list, make_pair)
    assert check_list.add_proven(make_pair(9), silent_since=1.1)
    assert check_list.released == [pairs[1].path]
    assert check_list.paths_given_up == 1
    assert check_list.get(pairs[0].path) is pairs[0]
    assert len(check_list) == MAX_PAIRS


def test_pairs_that_the_peer_has_left_are_released(check_list: CheckList, make_pair: MakePair) -> None:
    pairs = used_pairs(check_list, make_pair)
    check_list.trigger(pairs[3])
    check_list.retire(heard_before=5.0)
    assert check_list.released == [pair.path for pair in pairs[1:5]]
    assert (len(check_list), check_list.paths_given_up) == (MAX_PAIRS - 4, 0)
    assert check_list.next_pair() is not pairs[3]


def test_after_nomination_only_the_peers_checks_make_work(check_list: CheckList, make_pair: MakePair) -> None:
    nominated, waiting = make_pair(1), make_pair(2, foundation="2")
    check_list.add(nominated)
    check_list.add(waiting)
    nominated.succeed(1.0)
    check_list.conclude()
    check_list.add(make_pair(3, foundation="3"))
    assert not check_list.has_work
    proven = make_pair(4)
    check_list.add_proven(proven, silent_since=0.0)
    check_list.trigger(proven)
    assert check_list.next_pair() is proven


def test_both_agents_reckon_the_same_priority(make_candidate: MakeCandidate) -> None:
    mine, yours = make_candidate("192.0.2.1", priority=5), make_candidate("192.0.2.2", priority=7)
    path = Path(Address("192.0.2.1", 1), Address("192.0.2.2", 1))
    here, there = CandidatePair(path, mine, yours), CandidatePair(Path(path.remote, path.local), yours, mine)
    assert here.priority(controlling=True) == there.priority(controlling=False) == (5 << 32) + 14
    assert here.priority(controlling=False) == there.priority(controlling=True) == (5 << 32) + 15
