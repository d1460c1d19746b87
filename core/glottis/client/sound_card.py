"""The microphone and the loudspeaker of this machine, through PortAudio where the package ``sounddevice`` is."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from threading import Lock
from typing import Any, Final

import trio

from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame
from glottis.contracts.errors import LocalError

MAX_WAITING: Final = 0.5
"""Seconds of sound that wait for the call or for the loudspeaker at most; beyond, the oldest is dropped."""


class OpenSoundCard:
    """A microphone that is listened to, and a loudspeaker. Made by ``SoundCard.open``."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._frame_bytes = round(sample_rate * FRAME_SECONDS) * BYTES_PER_SAMPLE
        self._max_bytes = round(sample_rate * MAX_WAITING) * BYTES_PER_SAMPLE
        self._lock = Lock()
        self._heard = bytearray()
        self._to_play = bytearray()
        self._token = trio.lowlevel.current_trio_token()
        self._more = trio.Event()

    async def frames(self) -> AsyncGenerator[AudioFrame, None]:
        """What the microphone hears, in frames of 20 ms, without an end."""
        while True:
            yield await self.take()

    async def take(self) -> AudioFrame:
        """The next frame of 20 ms. Whoever is cancelled meanwhile may ask again."""
        while (pcm := self._take(self._heard, self._frame_bytes)) is None:
            await self._more.wait()
            self._more = trio.Event()
        return AudioFrame(pcm, self.sample_rate)

    def forget(self) -> None:
        """What was heard and nobody has taken is of the past."""
        with self._lock:
            self._heard.clear()

    def write(self, frame: AudioFrame) -> None:
        """Play a frame after those before it."""
        self._put(self._to_play, frame.pcm)

    def exchange(self, captured: Any, to_play: Any, samples: int, time: object, status: object) -> None:
        """PortAudio's callback, in a thread of its own: both are buffers of this many samples."""
        self._put(self._heard, bytes(captured))
        length = samples * BYTES_PER_SAMPLE
        to_play[:] = self._take(self._to_play, length) or bytes(length)
        self._token.run_sync_soon(self._wake)

    def _wake(self) -> None:
        self._more.set()

    def _put(self, waiting: bytearray, pcm: bytes) -> None:
        with self._lock:
            waiting += pcm
            del waiting[: max(0, len(waiting) - self._max_bytes)]

    def _take(self, waiting: bytearray, length: int) -> bytes | None:
        """None while there is less."""
        with self._lock:
            if len(waiting) < length:
                return None
            taken = bytes(waiting[:length])
            del waiting[:length]
            return taken


class SoundCard:
    """The machine's own, by the module ``sounddevice``, which has no types."""

    def __init__(self, library: Any) -> None:
        self._library = library

    @classmethod
    def find(cls) -> "SoundCard":
        """Raises ``LocalError`` that says what is missing, and how to do without."""
        try:
            return cls(import_module("sounddevice"))
        except ImportError:
            missing = "the package sounddevice is not installed: pip install sounddevice"
        except OSError:
            missing = "the library PortAudio is not installed: apt-get install libportaudio2"
        raise LocalError(f"no microphone: {missing}; or speak a file, --wav FILE")

    @contextmanager
    def open(self, sample_rate: int) -> Iterator[OpenSoundCard]:
        """Listen and play within the block, at this rate in hertz; raises ``LocalError`` if it cannot."""
        card = OpenSoundCard(sample_rate)
        with ExitStack() as streams:
            try:
                streams.enter_context(self._stream(card))
            except self._library.PortAudioError as error:
                raise LocalError(f"no microphone or no loudspeaker: {error}; or speak a file, --wav FILE") from error
            yield card

    def _stream(self, card: OpenSoundCard) -> Any:
        return self._library.RawStream(
            samplerate=card.sample_rate,
            blocksize=round(card.sample_rate * FRAME_SECONDS),
            channels=1,
            dtype="int16",
            callback=card.exchange,
        )
