"""Other stacks that reach the gateway by a real coturn and by nothing else, with sound both ways."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.client.grant import create_session
from glottis.client.signaling import open_client_signaling
from glottis.contracts.statistics import CandidatePairStats
from glottis.server.gateway import Gateway
from glottis.signaling.messages import Answer, Offer
from support.aiortc import open_aiortc
from support.audio import SPEECH, best_similarity, from_pcm, read_wav
from support.coturn import Coturn, open_coturn
from support.gateway import open_test_gateway
from support.phone import webrtc_leg
from support.stacks import RATE, STACKS, Speech, place_call

LIKENESS = 0.65
"""Of one second in a row with what was said: see ``test_stacks.py``."""
SECONDS = 3


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[Coturn]:
    async with open_coturn(tmp_path) as coturn:
        yield coturn


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway


async def pair_of(gateway: Gateway) -> CandidatePairStats:
    """By which the one call goes, once it does."""
    while True:
        for session in gateway.sessions:
            pair = webrtc_leg(session).statistics(trio.current_time()).candidate_pair
            if pair is not None and pair.nominated:
                return pair
        await trio.sleep(0.05)


async def test_aiortc_calls_by_coturn_alone(coturn: Coturn, gateway: Gateway) -> None:
    grant = await create_session(gateway.url, {"campaignId": "echo"})
    async with (
        open_aiortc(SPEECH, coturn.ice_server()) as aiortc,
        open_client_signaling(grant.websocket_url) as signaling,
    ):
        offer = (await aiortc.do("offer"))["sdp"]
        assert {line.split()[7] for line in offer.splitlines() if line.startswith("a=candidate:")} == {"relay"}
        signaling.send(Offer(offer))
        while not isinstance(answer := await signaling.receive(), Answer):
            pass
        await aiortc.do("accept", sdp=answer.sdp)
        assert (await pair_of(gateway)).remote_candidate_type == "relay"
        while len(heard := await aiortc.heard()) < SECONDS * 16000 * 2:  # noqa: ASYNC110
            await trio.sleep(0.1)
        said, rate = read_wav(SPEECH)
        assert best_similarity(from_pcm(heard), said, rate) > LIKENESS


async def test_pion_calls_by_coturn_alone(coturn: Coturn, gateway: Gateway, tmp_path: Path) -> None:
    (pion,) = [stack for stack in STACKS if stack.name == "pion"]
    speech = Speech.write(tmp_path)
    pairs: list[CandidatePairStats] = []

    async def look() -> None:
        pairs.append(await pair_of(gateway))

    relay = coturn.ice_server()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        report = await place_call(
            pion,
            gateway,
            speech,
            tmp_path,
            texts=("hello", "bye"),
            ending="caller",
            trickle="normal",
            relay=relay | {"urls": [relay["urls"]]},
        )
        nursery.cancel_scope.cancel()
    assert [pair.remote_candidate_type for pair in pairs] == ["relay"]
    assert report.texts == ["Backend connected", "hello", "bye"]
    assert best_similarity(report.heard, speech.samples, RATE) > LIKENESS
