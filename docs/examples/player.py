"""Plays a WAV file to whoever calls, and hangs up: ``file`` among the settings of the campaign, else ``speech.wav``."""

import io
import wave

import trio
from glottis import AudioFrame, Call


def read_wav(content: bytes) -> AudioFrame:
    """The whole file as one frame."""
    with wave.open(io.BytesIO(content)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError("expected a WAV file with 16-bit samples in one channel")
        return AudioFrame(file.readframes(file.getnframes()), file.getframerate())


async def player(call: Call) -> None:
    """The agent. A file of another rate than the campaign's is refused by ``say``."""
    path = trio.Path(call.info.campaign_settings.get("file", "speech.wav"))
    await call.say(read_wav(await path.read_bytes()))
