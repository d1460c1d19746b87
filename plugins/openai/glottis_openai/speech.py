"""The voice: ``/audio/speech``, played as it comes."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from glottis import AudioFrame
from glottis_services import HttpService, PcmReader, ServiceFailed

from glottis_openai.settings import SpeechConfig, authorization, without_defaults

if TYPE_CHECKING:
    import httpx2

MAX_SPEECH: Final = 16 << 20
"""Bytes of a sentence: three minutes at 48 kHz."""


class Speech:
    """The ``TextToSpeech`` named ``openai``. ``transport`` stands in for the network in tests."""

    def __init__(self, config: SpeechConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        self._config = config
        self._service = HttpService(config, transport)

    async def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
        """As it comes. Raises ``ServiceFailed``."""
        named = without_defaults(self._config, "model", "voice", "response_format", "instructions", "speed")
        body: dict[str, Any] = {**named, "input": text}
        reader, is_empty = PcmReader(self._config.sample_rate), True
        try:
            async with (
                self._service.post("/audio/speech", authorization(self._config), json=body) as answer,
                aclosing(answer.parts(MAX_SPEECH)) as parts,
            ):
                if answer.media_type in ("application/json", "text/html"):
                    raise ValueError("it answers no audio")
                async for part in parts:
                    if (frame := reader.feed(part)) is not None:
                        is_empty = False
                        yield frame
        except ValueError as error:
            raise ServiceFailed(f"{self._service.place}: {error}: check model, voice and response_format") from None
        if is_empty:
            raise ServiceFailed(f"{self._service.place} has spoken nothing: check model and voice")
