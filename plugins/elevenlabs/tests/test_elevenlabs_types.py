"""By the package ``elevenlabs``: what is asked is what its client asks."""

import json

import pytest
from glottis import Secret
from glottis_elevenlabs import ElevenLabs, ElevenLabsConfig
from support.services import FakeService, streamed
from support.talking import speech

pytestmark = pytest.mark.interop


async def test_speech_is_asked_for_as_its_client_does() -> None:
    import elevenlabs
    import httpx

    theirs: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        theirs.append(request)
        return httpx.Response(200, content=b"")

    with httpx.Client(transport=httpx.MockTransport(answer)) as network:
        client = elevenlabs.ElevenLabs(api_key="correct-horse", httpx_client=network)
        for _ in client.text_to_speech.stream(
            "v1",
            text="Five.",
            model_id="eleven_flash_v2_5",
            language_code="en",
            voice_settings=elevenlabs.VoiceSettings(speed=1.1, stability=0.5),
            output_format="pcm_24000",
        ):
            pass
    service = FakeService(streamed(speech(0.1)))
    config = ElevenLabsConfig(
        voice_id="v1",
        api_key=Secret("correct-horse"),
        language="en",
        voice_settings={"speed": 1.1, "stability": 0.5},
    )
    async for _ in ElevenLabs(config, service.transport).synthesize("Five."):
        pass
    (ours,), (their,) = service.requests, theirs
    assert ours.method == their.method
    assert str(ours.url) == str(their.url)
    assert ours.headers["xi-api-key"] == their.headers["xi-api-key"]
    assert ours.headers["content-type"] == their.headers["content-type"]
    assert service.bodies == [json.loads(their.content)]
