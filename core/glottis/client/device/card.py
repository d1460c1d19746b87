"""A sound card by PortAudio as a device uses it."""

import trio

from glottis.client.sound_card import OpenSoundCard
from glottis.contracts.audio import AudioFrame


class CardSound:
    """A ``Sound``. PortAudio's own thread keeps it, and drops what is too old."""

    def __init__(self, card: OpenSoundCard) -> None:
        self._card = card

    async def take(self) -> AudioFrame:
        """See ``CommandSound.take``."""
        return await self._card.take()

    def forget(self) -> None:
        """See ``CommandSound.forget``."""
        self._card.forget()

    def write(self, frame: AudioFrame) -> None:
        """See ``CommandSound.write``."""
        self._card.write(frame)

    def counters(self) -> dict[str, int]:
        """Nothing is counted in PortAudio's thread."""
        return {}

    async def run(self) -> None:
        """Nothing is to be done."""
        await trio.sleep_forever()
