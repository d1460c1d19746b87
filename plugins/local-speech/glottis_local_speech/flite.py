"""The voice ``flite``: small, and on every processor, by the program of that name. Each sentence is a process."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio
from glottis import AudioFrame, PluginError
from glottis.audio import chunks, read_wav
from glottis_conversation.sentences import spoken_text
from msgspec import Meta

PROGRAM: Final = "flite"
INSTALL: Final = "apt-get install flite"
FRAME_SECONDS: Final = 0.1


class FliteConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the voice."""

    voice: Annotated[str, Meta(pattern=r"^[a-z0-9_]+$")] = "slt"
    """One of those that ``flite -lv`` lists."""
    speed: Annotated[float, Meta(ge=0.5, le=2)] = 1.0
    """2 is twice as fast."""


class Flite:
    """The ``TextToSpeech`` named ``flite``."""

    def __init__(self, config: FliteConfig) -> None:
        if shutil.which(PROGRAM) is None:
            raise PluginError(f"needs the program {PROGRAM}: {INSTALL}")
        self.pace = 1.0
        self._config = config

    async def synthesize(self, text: str) -> AsyncIterator[AudioFrame]:
        """The whole sentence. Its words are in a file of this user's alone, and not in a list of processes."""
        text = spoken_text(text)
        if not text:
            return
        with tempfile.TemporaryDirectory() as directory:
            words, sound = Path(directory) / "words.txt", Path(directory) / "sound.wav"
            words.write_text(text, encoding="utf-8")
            stretch = 1 / (self._config.speed * self.pace)
            options = ["-voice", self._config.voice, "--setf", f"duration_stretch={stretch:.3f}"]
            await trio.run_process(
                [PROGRAM, *options, "-f", str(words), "-o", str(sound)], capture_stdout=True, capture_stderr=True
            )
            whole = read_wav(str(sound))
        for frame in chunks(whole, FRAME_SECONDS):
            yield frame
