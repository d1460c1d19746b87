"""The voice: a request for each sentence, played as it comes."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec
from glottis import AudioFrame
from glottis_services import HttpService, ServiceConfig
from glottis_services.speech import spoken

if TYPE_CHECKING:
    import httpx2


class ElevenLabsConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the voice."""

    voice_id: str
    """As the service calls it."""
    model: str = "eleven_flash_v2_5"
    """As the service calls it."""
    url: str = "https://api.elevenlabs.io"
    language: str = ""
    """ISO 639-1, such as ``de``; empty: the service finds out."""
    voice_settings: dict[str, Any] = msgspec.field(default_factory=dict)
    """``stability``, ``similarity_boost``, ``style``, ``speed``…"""
    sample_rate: Literal[8000, 16000, 22050, 24000, 44100, 48000] = 24000
    """In hertz; that of the call saves a resampler. The service has 44100 for its larger accounts only."""


class ElevenLabs:
    """The ``TextToSpeech`` named ``elevenlabs``. ``transport`` stands in for the network in tests."""

    def __init__(self, config: ElevenLabsConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        self._config = config
        self._service = HttpService(config, transport)

    def synthesize(self, text: str) -> AsyncGenerator[AudioFrame, None]:
        """As it comes. Raises ``ServiceFailed``."""
        config = self._config
        key = config.api_key.reveal().strip() if config.api_key is not None else ""
        body: dict[str, Any] = {
            "text": text,
            "model_id": config.model,
            **({"language_code": config.language} if config.language else {}),
            **({"voice_settings": config.voice_settings} if config.voice_settings else {}),
        }
        return spoken(
            self._service,
            f"/v1/text-to-speech/{quote(config.voice_id, safe='')}/stream",
            {"xi-api-key": key} if key else {},
            sample_rate=config.sample_rate,
            check="voice_id, model and sample_rate",
            params={"output_format": f"pcm_{config.sample_rate}"},
            json=body,
        )
