"""Places for SSRCs: who takes one, who gives way, and who does not come back."""

import pytest
from glottis.contracts.errors import Malformed
from glottis.rtp.remote_sources import MAX_RETIRED, RETIREMENT_BURST, RETIREMENTS_PER_SECOND, RemoteSources


def ssrc(number: int) -> bytes:
    return number.to_bytes(4)


def hear(sources: RemoteSources, number: int, now: float = 0.0) -> None:
    sources.require_admissible(ssrc(number), now)
    sources.heard(ssrc(number), now)


def is_heard(sources: RemoteSources, number: int, now: float) -> bool:
    try:
        hear(sources, number, now)
    except Malformed:
        return False
    return True


def test_the_one_unheard_for_longest_gives_way() -> None:
    released: list[int] = []
    sources = RemoteSources(3, released.append)
    for number in (7, 5, 9, 7, 1, 7, 2):
        hear(sources, number)
    assert (released, sources.retired) == ([5, 9], 2)
    for number in (5, 9):
        with pytest.raises(Malformed, match="does not come back"):
            sources.require_admissible(ssrc(number), 0.0)


def test_what_is_kept_of_those_that_have_given_way_is_bounded() -> None:
    sources = RemoteSources(2, lambda ssrc: None)
    for number in range(MAX_RETIRED + 2):
        hear(sources, number, number / RETIREMENTS_PER_SECOND)
    now = MAX_RETIRED * 2.0
    with pytest.raises(Malformed, match=f"more than {MAX_RETIRED}"):
        hear(sources, MAX_RETIRED + 2, now)
    hear(sources, MAX_RETIRED + 1, now)
    assert sources.retired == MAX_RETIRED


@pytest.mark.slow
def test_a_flood_of_ssrcs_does_not_use_up_a_calls_share_of_them() -> None:
    sources = RemoteSources(32, lambda ssrc: None)
    for number in range(60 * 5000):
        is_heard(sources, number, number / 5000)
    assert sources.retired <= RETIREMENT_BURST + 60 * RETIREMENTS_PER_SECOND + 1


def test_after_a_flood_another_ssrc_is_heard_within_a_second() -> None:
    sources = RemoteSources(32, lambda ssrc: None)
    for number in range(5000):
        is_heard(sources, number, number / 5000)
    heard = [index for index in range(51) if is_heard(sources, 1_000_000, 1.0 + index * 0.02)]
    assert heard == list(range(heard[0], 51))
