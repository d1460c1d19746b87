"""By the package ``deepgram-sdk``: what is asked is what its client asks, and the tests' answers are of its types."""

import inspect
from urllib.parse import parse_qs, urlsplit

import pytest
from glottis import Secret
from glottis_deepgram import Aura, AuraConfig, DeepgramConfig
from glottis_deepgram.listening import listen_query
from support.deepgram import METADATA, results
from support.services import FakeService, streamed
from support.talking import speech
from support.vendor_types import check_all

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning"),
]


def test_answers_and_what_is_sent_are_of_its_types() -> None:
    from deepgram.listen.v1.types import ListenV1CloseStream, ListenV1Metadata, ListenV1Results

    assert check_all(ListenV1Results, [results("Five", is_final=True), results("", is_final=False)]) == 2
    assert check_all(ListenV1Metadata, [METADATA]) == 1
    assert check_all(ListenV1CloseStream, [{"type": "CloseStream"}]) == 1


def test_its_client_knows_all_parameters() -> None:
    from deepgram.listen.v1.client import V1Client

    asked = listen_query(DeepgramConfig(keyterms=("rye",), extra={"numerals": "true"}), 16000)
    assert asked.keys() <= inspect.signature(V1Client.connect).parameters.keys()


async def test_speech_is_asked_for_as_its_client_does() -> None:
    import httpx
    from deepgram import DeepgramClient

    theirs: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        theirs.append(request)
        return httpx.Response(200, content=b"")

    with httpx.Client(transport=httpx.MockTransport(answer)) as network:
        client = DeepgramClient(api_key="correct-horse", httpx_client=network)
        for _ in client.speak.v1.audio.generate(
            text="Five.", model="aura-2-thalia-en", encoding="linear16", sample_rate=24000, container="none"
        ):
            pass
    service = FakeService(streamed(speech(0.1), content_type="audio/l16"))
    async for _ in Aura(AuraConfig(api_key=Secret("correct-horse")), service.transport).synthesize("Five."):
        pass
    (ours,), (their,) = service.requests, theirs
    assert ours.method == their.method
    assert urlsplit(str(ours.url))[:3] == urlsplit(str(their.url))[:3]
    assert parse_qs(urlsplit(str(ours.url)).query) == parse_qs(urlsplit(str(their.url)).query)
    assert ours.headers["authorization"] == their.headers["authorization"]
    assert ours.headers["content-type"] == their.headers["content-type"]
    assert service.bodies == [{"text": "Five."}]
    assert b'"text"' in their.content
