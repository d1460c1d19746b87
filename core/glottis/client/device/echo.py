"""A microphone that does not hear its own loudspeaker."""

import logging
from collections import deque
from typing import Final

from glottis.barrier import stop
from glottis.client.device.frame_queue import MAX_FRAMES
from glottis.client.device.sound import Sound
from glottis.contracts.audio import FRAME_MS, AudioFrame
from glottis.contracts.echo import EchoCanceller
from glottis.contracts.errors import PluginError

logger = logging.getLogger(__name__)
SILENT: Final = b""


class EchoFreeSound:
    """A ``Sound`` around another, with what is played as the reference.

    Each frame that is heard is compared with one that is played, so what the loudspeaker's buffers add is a delay that
    stays; ``delay_ms`` of it are left out of what the canceller has to find.
    """

    def __init__(self, sound: Sound, canceller: EchoCanceller, delay_ms: int) -> None:
        self._sound = sound
        self._canceller = canceller
        self._delay = delay_ms // FRAME_MS
        self._played = deque([SILENT] * self._delay, MAX_FRAMES + self._delay)
        self._failures = 0

    async def take(self) -> AudioFrame:
        """See ``CommandSound.take``. A canceller that fails leaves the frame as it is."""
        frame = await self._sound.take()
        heard = bytes(frame.pcm)
        played = (self._played.popleft() if self._played else SILENT) or bytes(len(heard))
        left = heard
        try:
            left = _checked(self._canceller.cancel(heard, played), len(heard))
        except BaseException as error:
            stop(error, self._note)
        return AudioFrame(left, frame.sample_rate)

    def forget(self) -> None:
        """See ``CommandSound.forget``."""
        self._sound.forget()
        self._played.clear()
        self._played.extend([SILENT] * self._delay)

    def write(self, frame: AudioFrame) -> None:
        """See ``CommandSound.write``."""
        self._sound.write(frame)
        self._played.append(bytes(frame.pcm))

    def counters(self) -> dict[str, int]:
        """Those of the sound, and frames whose echo was left in them."""
        return self._sound.counters() | {"echo_failures": self._failures}

    async def run(self) -> None:
        """See ``CommandSound.run``."""
        await self._sound.run()

    def _note(self, error: BaseException) -> None:
        self._failures += 1
        if self._failures == 1:
            logger.error("the echo canceller has failed; echo is left in", exc_info=error)


def _checked(left: object, length: int) -> bytes:
    if type(left) is not bytes or len(left) != length:
        raise PluginError(f"cancel is to return {length} bytes of samples, and has not")
    return left
