"""The voice: ``/audio/speech``, played as it comes."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from glottis import AudioFrame
from glottis_services import HttpService
from glottis_services.speech import spoken

from glottis_openai.settings import SpeechConfig, authorization, without_defaults

if TYPE_CHECKING:
    import httpx2


class Speech:
    """The ``TextToSpeech`` named ``openai``. ``transport`` stands in for the network in tests."""

    def __init__(self, config: SpeechConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        self._config = config
        self._service = HttpService(config, transport)

    def synthesize(self, text: str) -> AsyncGenerator[AudioFrame, None]:
        """As it comes. Raises ``ServiceFailed``."""
        named = without_defaults(self._config, "model", "voice", "response_format", "instructions", "speed")
        return spoken(
            self._service,
            "/audio/speech",
            authorization(self._config),
            sample_rate=self._config.sample_rate,
            check="model, voice and response_format",
            json={**named, "input": text},
        )
