"""The recogniser: ``/audio/transcriptions``, one turn at a time."""

import io
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec
from glottis import AudioFrame, Malformed
from glottis.audio import joined, write_wav
from glottis_conversation import Transcript
from glottis_services import HttpService, ServiceFailed
from glottis_services.errors import code_in

from glottis_openai.settings import TranscriptionConfig, authorization, without_defaults

if TYPE_CHECKING:
    import httpx2

MAX_TRANSCRIPT: Final = 1 << 20
_NOISES: Final = re.compile(r"\[[^\[\]]{1,40}\]|\([^()]{1,40}\)|\*[^*]{1,40}\*")
"""What whisper.cpp writes for sounds: ``[BLANK_AUDIO]``, ``(music)``."""


class Transcriptions:
    """The ``SpeechToText`` named ``openai``. ``transport`` stands in for the network in tests."""

    def __init__(self, config: TranscriptionConfig, transport: "httpx2.AsyncBaseTransport | None" = None) -> None:
        self._config = config
        self._service = HttpService(config, transport)

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        """The whole turn at its end. Raises ``ServiceFailed``."""
        frames = [frame async for frame in audio]
        if not frames:
            return
        file = io.BytesIO()
        write_wav(file, joined(frames))
        fields = without_defaults(self._config, "model", "language", "prompt")
        async with self._service.post(
            "/audio/transcriptions",
            authorization(self._config),
            data={**fields, "response_format": "json"},
            files={"file": ("speech.wav", file.getvalue(), "audio/wav")},
        ) as answer:
            body = await answer.whole(MAX_TRANSCRIPT)
        try:
            text = read_text_untrusted(body, is_plain=answer.media_type == "text/plain")
        except Malformed as error:
            raise ServiceFailed(f"{self._service.place}: {error}: check url and model") from None
        if text:
            yield Transcript(text)


class _Transcription(msgspec.Struct):
    text: str


def read_text_untrusted(body: bytes, *, is_plain: bool = False) -> str:
    """What was said, or nothing but noise. Raises ``Malformed`` for what is no transcription."""
    try:
        text = msgspec.json.decode(body, type=_Transcription).text
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        if not is_plain or body.startswith(b"{"):
            code = code_in(body)
            raise Malformed(f"it answers what is no transcription{': ' if code else ''}{code}") from None
        text = body.decode(errors="replace")
    text = " ".join(text.split())
    return text if _NOISES.sub("", text).strip(" .,") else ""
