"""The voice ``elevenlabs``."""

from typing import Any

import httpx2
import pytest
from glottis import AudioFrame, Secret
from glottis.audio import joined
from glottis.testing import ComponentContract
from glottis_elevenlabs import ElevenLabs, ElevenLabsConfig, register_components
from glottis_services import ServiceFailed
from support.services import FakeService, streamed
from support.talking import speech

KEY = "correct-horse-battery"


@pytest.mark.slow
class TestContract(ComponentContract):
    (spec,) = register_components()
    settings = ElevenLabsConfig(voice_id="v")


async def speak(service: FakeService, **others: Any) -> list[AudioFrame]:
    config = ElevenLabsConfig(**{"voice_id": "a/b", "api_key": Secret(KEY), **others})
    return [frame async for frame in ElevenLabs(config, service.transport).synthesize("Five.")]


async def test_a_sentence_is_played_as_it_comes() -> None:
    service = FakeService(streamed(speech(0.1)[:999], speech(0.1)[999:], content_type="audio/mpeg"))
    said = await speak(service, language="en", voice_settings={"speed": 1.1}, sample_rate=16000)
    assert joined(said) == AudioFrame(speech(0.1), 16000)
    (asked,) = service.requests
    assert str(asked.url) == "https://api.elevenlabs.io/v1/text-to-speech/a%2Fb/stream?output_format=pcm_16000"
    assert asked.headers["xi-api-key"] == KEY
    assert service.bodies == [
        {"text": "Five.", "model_id": "eleven_flash_v2_5", "language_code": "en", "voice_settings": {"speed": 1.1}}
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx2.Response(401, json={"detail": {"status": "invalid_api_key", "message": KEY}}),
         "does not accept the key: check api_key (HTTP 401, invalid_api_key)"),
        (httpx2.Response(403, json={"detail": {"status": "output_format_not_allowed"}}),
         "does not accept the key for this: check api_key (HTTP 403, output_format_not_allowed)"),
        (httpx2.Response(200, json={"detail": "x"}), "it answers no audio: check voice_id, model and sample_rate"),
        (streamed(b"ID3" + bytes(99)), "expected raw samples or a WAV file: check voice_id, model and sample_rate"),
        (streamed(), "has spoken nothing: check voice_id, model and sample_rate"),
    ],
)  # fmt: skip
async def test_a_voice_that_fails_says_what_to_change(answer: Any, message: str) -> None:
    with pytest.raises(ServiceFailed) as raised:
        await speak(FakeService(answer), retries=0)
    assert message in str(raised.value)
    assert KEY not in str(raised.value)
