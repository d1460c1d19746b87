"""Candidates in answers, for clients that are told none later."""

import pytest
import trio
import trio.testing
from glottis.server.sessions.gathered import Gathered, with_candidates
from glottis.signaling.messages import TrickledCandidate

HEAD = "v=0\r\ns=-\r\n"
AUDIO = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
DATA = "m=application 9 UDP/DTLS/SCTP x\r\n"
FOUND = "a=candidate:1\r\na=candidate:2\r\na=end-of-candidates\r\n"


@pytest.mark.parametrize("after", ["", DATA, DATA + DATA])
def test_candidates_that_come_later_are_those_of_the_first_section(after: str) -> None:
    assert with_candidates(HEAD + AUDIO + after, ["candidate:1", "candidate:2"]) == HEAD + AUDIO + FOUND + after


async def test_an_answer_waits_for_the_end_of_candidates_and_not_for_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    gathered, began_at = Gathered(), trio.current_time()
    gathered.hear(TrickledCandidate("candidate:1"))
    late = HEAD + AUDIO + "a=candidate:1\r\na=end-of-candidates\r\n"
    assert await gathered.in_answer(HEAD + AUDIO, 0.3) == late
    assert trio.current_time() - began_at == pytest.approx(0.3)
    assert await gathered.in_answer(late, 0.3) == late
    gathered.hear(TrickledCandidate("candidate:2"))
    gathered.hear(TrickledCandidate(""))
    assert await gathered.in_answer(HEAD + AUDIO, 0.3) == HEAD + AUDIO + FOUND
    assert trio.current_time() - began_at == pytest.approx(0.3)
