"""The voice: a request for each sentence, played as it comes."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from glottis import AudioFrame
from glottis_services import HttpService
from glottis_services.speech import spoken

from glottis_deepgram.settings import AuraConfig, authorization

if TYPE_CHECKING:
    import httpx2


class Aura:
    """The ``TextToSpeech`` named ``deepgram``. ``transport`` stands in for the network in tests."""

    def __init__(self, config: AuraConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        self._config = config
        self._service = HttpService(config, transport)

    def synthesize(self, text: str) -> AsyncGenerator[AudioFrame, None]:
        """As it comes. Raises ``ServiceFailed``."""
        rate = self._config.sample_rate
        form = {"model": self._config.model, "encoding": "linear16", "sample_rate": str(rate), "container": "none"}
        return spoken(
            self._service,
            "/v1/speak",
            authorization(self._config),
            sample_rate=rate,
            check="model",
            params=form,
            json={"text": text},
        )
