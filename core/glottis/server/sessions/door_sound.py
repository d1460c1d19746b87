"""What a client is to play that has come by a door: bounded, and dropped at once when the agent is interrupted."""

from collections.abc import Mapping
from typing import Any, Final

from glottis.calls.streams import Wakeup
from glottis.contracts.short_queue import ShortQueue
from glottis.signaling.messages import FLUSH, Mark, document_of

MAX_QUEUED: Final = 25
"""Messages, half a second as a rule. More: the oldest are dropped, for nobody waits to hear them."""


class DoorSound:
    """The session puts it in, the plugin takes it out."""

    def __init__(self) -> None:
        self._queued: ShortQueue[bytes | Mark] = ShortQueue()
        self._flushes = False
        """What the client has of before is to be dropped, before anything that is queued."""
        self._is_over = False
        self._more = Wakeup()

    def play(self, audio: bytes | Mark) -> int:
        """See ``Channel``."""
        dropped = self._queued.push(audio, MAX_QUEUED)
        self._more.wake()
        return int(dropped)

    def clear(self) -> None:
        """Drop what is queued."""
        self._queued.clear()

    def flush(self) -> None:
        """Have the client drop what it has; what is queued comes after."""
        self._flushes = True
        self._more.wake()

    def close(self) -> None:
        """Nothing follows what is queued."""
        self._is_over = True
        self._more.wake()

    async def next(self) -> bytes | Mapping[str, Any] | None:
        """See ``DoorCall.receive_audio``."""
        while not self._is_over and not self._flushes and not self._queued:
            await self._more.wait()
        if self._flushes:
            self._flushes = False
            return document_of(FLUSH)
        if not self._queued:
            return None
        sound = self._queued.popleft()
        return document_of(sound) if isinstance(sound, Mark) else sound
