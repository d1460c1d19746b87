"""How often the peer can have us check a path."""

import random
from collections.abc import Callable

import pytest
from glottis.ice.check_list import CheckList
from glottis.ice.checker import MAX_UNANSWERED_TRANSMISSIONS, Checker
from glottis.ice.credentials import generate_credentials
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.role import Role
from glottis.ice.timing import DEFAULT_TIMING
from glottis.sdp.candidate import Candidate
from glottis.wire.address import Address, Path


@pytest.fixture
def pair(make_candidate: Callable[..., Candidate]) -> CandidatePair:
    path = Path(Address("198.51.100.7", 50002), Address("192.0.2.1", 40000))
    return CandidatePair(path, make_candidate(*path.local), make_candidate(*path.remote))


def test_path_that_has_not_answered_for_long_is_checked_again_now_and_then(pair: CandidatePair) -> None:
    role, rng = Role(controlling=False, tie_breaker=0), random.Random(0)
    check_list = CheckList(role)
    checker = Checker(check_list, role, generate_credentials(rng), DEFAULT_TIMING, rng)
    check_list.add_proven(pair, silent_since=0.0)
    pair.unanswered_transmissions = MAX_UNANSWERED_TRANSMISSIONS
    checked = []
    for second in range(100, 200):
        checker.trigger(pair, float(second))
        if check_list.next_pair() is pair:
            checked.append(second)
            pair.state = PairState.IN_PROGRESS
    assert checked == [100, 130, 160, 190]
