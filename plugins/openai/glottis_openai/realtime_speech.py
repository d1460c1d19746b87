"""What the model says in one item: played as it comes, and cut where the caller interrupts."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from glottis import AudioFrame, Call, Utterance
from glottis_conversation.sentences import heard_part
from glottis_conversation.tape import Tape

from glottis_openai.realtime_events import RATE

MAX_SECONDS: Final = 300.0
"""Of one item; what is longer is cut off."""
MAX_TEXT: Final = 20_000
"""Characters of its text."""
_ROUNDING: Final = 0.021
"""Seconds: a frame more or less is no word."""


class SpokenItem:
    """``began`` is told when its first sound is played."""

    def __init__(self, item_id: str, call: Call, began: Callable[[], None]) -> None:
        self.id = item_id
        self.text = ""
        self._began = began
        self._half = b""
        self._tape = Tape(MAX_SECONDS)
        self.utterance: Utterance = call.start_saying(self._frames())

    def add(self, pcm: bytes) -> None:
        """More of it, cut anywhere."""
        whole = self._half + pcm
        end = len(whole) // 2 * 2
        self._half = whole[end:]
        if end and not self._tape.is_full and not self.utterance.done.is_set():
            self._tape.add(AudioFrame(whole[:end], RATE))

    def add_text(self, text: str) -> None:
        """More of its words."""
        self.text = (self.text + text)[:MAX_TEXT]

    def end(self) -> None:
        """That was all."""
        self._tape.end()

    def cancel(self) -> int:
        """Fall silent within a frame; says how many milliseconds of it were sent, and no more than there are."""
        heard = self.utterance.cancel().sent
        self._tape.end()
        return int(1000 * min(heard, self._tape.seconds))

    @property
    def is_going_on(self) -> bool:
        """Whether the caller has not heard all of it yet."""
        return not self.utterance.done.is_set()

    @property
    def heard(self) -> str:
        """The words that the caller has heard, by the share that was sent."""
        sent, made = self.utterance.heard.sent, self._tape.seconds
        return self.text if sent + _ROUNDING >= made else heard_part(self.text, sent / made)

    async def _frames(self) -> AsyncIterator[AudioFrame]:
        is_first = True
        async for frame in self._tape.frames():
            if is_first:
                self._began()
            is_first = False
            yield frame
