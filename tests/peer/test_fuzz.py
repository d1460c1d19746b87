"""What a peer says in signaling, mutated: a connection refuses it, or goes on with it."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from glottis.contracts.errors import Malformed
from glottis.dtls import Certificate
from glottis.sdp import AnswerRefused, OfferRefused, parse_session_description_untrusted
from glottis.testing.peers import VirtualCall
from support.examples import examples
from support.installed import installed_plugins
from support.mutation import mutated

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"
CORPUS = [path.read_bytes().decode("utf-8", "replace") for path in sorted(VECTORS.glob("**/*.sdp"))]
OPUS = installed_plugins().codecs.find("opus").spec
CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host"


@pytest.fixture(scope="module")
def make_call() -> Callable[[], VirtualCall]:
    """New calls at little cost: they share their certificates, which nothing here looks at."""
    certificates = Certificate.generate(), Certificate.generate()
    return lambda: VirtualCall([OPUS], certificates=certificates)


def test_fuzz_accept_offer_untrusted(make_call: Callable[[], VirtualCall]) -> None:
    """PeerConnection.accept_offer_untrusted raises Malformed or OfferRefused, or gives an answer that can be read.

    What is refused changes nothing: the next offer is answered as if it were the first.
    """
    rng = random.Random(8829)
    refused, count = 0, examples(150)
    for _ in range(count):
        call = make_call()
        try:
            answer = call.gateway.connection.accept_offer_untrusted(mutated(rng.choice(CORPUS), CORPUS, rng), 0.0)
        except (Malformed, OfferRefused):
            refused += 1
            answer = call.gateway.connection.accept_offer_untrusted(call.caller.connection.make_offer(), 0.0)
        parse_session_description_untrusted(answer)
    assert count / 10 < refused < count * 9 / 10


def test_fuzz_accept_answer_untrusted(make_call: Callable[[], VirtualCall]) -> None:
    """PeerConnection.accept_answer_untrusted raises nothing but Malformed and AnswerRefused."""
    rng = random.Random(3264)
    accepted, count = 0, examples(150)
    for _ in range(count):
        call = make_call()
        offer = call.caller.connection.make_offer()
        answer = call.gateway.connection.accept_offer_untrusted(offer, 0.0)
        with suppress(Malformed, AnswerRefused):
            call.caller.connection.accept_answer_untrusted(mutated(answer, CORPUS, rng), 0.0)
            accepted += 1
    assert accepted > count / 10


@pytest.mark.parametrize("described", [False, True], ids=["early", "described"])
def test_fuzz_add_remote_candidate_untrusted(make_call: Callable[[], VirtualCall], described: bool) -> None:
    """PeerConnection.remote_candidates.add_untrusted raises nothing, not even Malformed, whatever is trickled."""
    rng = random.Random(8838)
    call = make_call()
    if described:
        call.negotiate()
    for _ in range(500):
        call.gateway.connection.remote_candidates.add_untrusted(
            mutated(CANDIDATE, CORPUS, rng).removesuffix("\r\n"),
            mid=rng.choice((None, "0", "x" * 300)),
            media_index=rng.choice((None, 0, 7)),
            username_fragment=rng.choice((None, "abcd", "\0")),
            now=0.0,
        )
    if not described:
        call.negotiate()
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=10)
