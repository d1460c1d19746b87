"""Places for SSRCs: who takes one, who gives way, and who does not come back."""

import pytest
from glottis.contracts.errors import Malformed
from glottis.rtp.remote_sources import MAX_RETIRED, RemoteSources


def ssrc(number: int) -> bytes:
    return number.to_bytes(4)


def hear(sources: RemoteSources, number: int) -> None:
    sources.require_admissible(ssrc(number))
    sources.heard(ssrc(number))


def test_the_one_unheard_for_longest_gives_way() -> None:
    released: list[int] = []
    sources = RemoteSources(3, released.append)
    for number in (7, 5, 9, 7, 1, 7, 2):
        hear(sources, number)
    assert (released, sources.retired) == ([5, 9], 2)
    for number in (5, 9):
        with pytest.raises(Malformed, match="does not come back"):
            sources.require_admissible(ssrc(number))


def test_what_is_kept_of_those_that_have_given_way_is_bounded() -> None:
    sources = RemoteSources(2, lambda ssrc: None)
    for number in range(MAX_RETIRED + 2):
        hear(sources, number)
    with pytest.raises(Malformed, match=f"more than {MAX_RETIRED}"):
        hear(sources, MAX_RETIRED + 2)
    hear(sources, MAX_RETIRED + 1)
    assert sources.retired == MAX_RETIRED
