"""The recogniser ``pocketsphinx``: what a grammar allows, on every processor, in processes of its own."""

import json
import select
import struct
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import msgspec
from glottis import AudioFrame, ConfigurationError, PluginError
from glottis.audio import joined, level_dbfs
from glottis_conversation import Transcript
from msgspec import Meta

from glottis_local_speech.libraries import require
from glottis_local_speech.moonshine import QUIETEST_DBFS
from glottis_local_speech.pool import Pool
from glottis_local_speech.silero import at_16_khz

MODULE: Final = "pocketsphinx"
OWN_GRAMMAR: Final = Path(__file__).with_name("assistant.gram")
WORKER: Final = Path(__file__).with_name("sphinx_worker.py")
HEADER: Final = struct.Struct("<I")
"""Bytes of a turn, before it."""
EXTRA: Final = "small"
PATIENCE: Final = 30.0
"""Seconds for a turn, and for a process to begin: one that takes longer is ended."""
GONE: Final = f"the process of {MODULE} has ended, or has not answered for {PATIENCE:g} s"


class SphinxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the recogniser."""

    grammar: str = ""
    """A file in JSGF, of what may be said. Empty: what the skills of an assistant are asked."""
    copies: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes at most, of 60 MB each: so many turns are understood at a time."""


class Sphinx:
    """The ``SpeechToText`` named ``pocketsphinx``."""

    def __init__(self, config: SphinxConfig) -> None:
        require(MODULE, extra=EXTRA)
        if config.grammar and not Path(config.grammar).is_file():
            raise ConfigurationError(f"grammar: there is no file {config.grammar}")
        self._pool = _pool_of(config.grammar, config.copies)
        self._pool.prepare()

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        """The whole turn at its end."""
        frames = [frame async for frame in audio]
        if frames and level_dbfs(joined(frames)) >= QUIETEST_DBFS:
            pcm = at_16_khz(joined(frames))
            text = await self._pool.run(lambda worker: worker.understand(pcm))
            if text:
                yield Transcript(text)


class Worker:
    """One process. It ends with the gateway, at the latest, whose end of its standard input it reads."""

    def __init__(self, grammar: str) -> None:
        command = [sys.executable, "-I", str(WORKER), grammar]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        self.end: Final = weakref.finalize(self, _end, self._process)
        """At once; it is called when nobody needs the worker any more, and when the program ends, at the latest."""
        self._line()

    def understand(self, pcm: bytes) -> str:
        """What was said in these samples at 16 kHz. Raises ``PluginError`` where the process does not answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(HEADER.pack(len(pcm)) + pcm)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # the latter where it was ended
            raise PluginError(GONE) from None
        return str(json.loads(self._line()))

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            self.end()
            raise PluginError(GONE)
        return line


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


@cache
def _pool_of(grammar: str, copies: int) -> Pool[Worker]:
    return Pool(lambda: Worker(grammar or str(OWN_GRAMMAR)), copies)
