"""What the caller says, told as what is in a buffer of input audio, which is committed as an item."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import trio
from glottis import Saying

from glottis_openai_calls.errors import error_of
from glottis_openai_calls.events import Events
from glottis_openai_calls.items import Items, message
from glottis_openai_calls.requests import Unusable, to_agent

MAX_ECHOES: Final = 8
"""Texts of the client's that agents may repeat as what they have understood."""
MAX_COMMITTED: Final = 32
"""Items that wait to be understood."""
SHORTEST: Final = 0.1
"""Seconds that can be committed."""


class InputAudio:
    """Each method tells what the client is to be told."""

    def __init__(self, events: Events, items: Items) -> None:
        self._events = events
        self._items = items
        self._written: deque[str] = deque(maxlen=MAX_ECHOES)
        self._began_at = 0.0
        self._speaking_item = ""
        """Of what the caller is saying."""
        self._spoken_item = ""
        """Of what it has said last, while that is not understood."""
        self._spoke_at = self._spoken_ms = 0
        self._kept_since = 0.0
        """When the buffer was empty."""
        self._committed: dict[str, float] = {}
        """Seconds of the items that are not understood yet."""

    def begin(self) -> None:
        """The channel is open."""
        self._began_at = trio.current_time()

    def wrote(self, text: str) -> None:
        """The client has written this: agents may tell it as what they have understood."""
        self._written.append(" ".join(text.split()))

    # The agent finds turns

    def start(self) -> Iterator[Saying]:
        """The caller begins to speak."""
        if not self._speaking_item:
            self._speaking_item, self._spoke_at = self._events.new_id("item"), self._now_ms()
            yield self._events.make(
                "input_audio_buffer.speech_started", audio_start_ms=self._spoke_at, item_id=self._speaking_item
            )

    def stop(self) -> Iterator[Saying]:
        """The caller has fallen silent."""
        if self._speaking_item:
            now = self._now_ms()
            self._spoken_item, self._speaking_item = self._speaking_item, ""
            self._spoken_ms = now - self._spoke_at
            yield self._events.make("input_audio_buffer.speech_stopped", audio_end_ms=now, item_id=self._spoken_item)

    def understood(self, told: Mapping[str, Any]) -> Iterator[Saying]:
        """The agent has, a part of it or the whole."""
        text: str = told["text"]
        item = told.get("item")
        if isinstance(item, str) and item in self._committed:
            yield from self._transcribed(item, text, is_failure=told.get("failed") is True)
            return
        if " ".join(text.split()) in self._written:  # as an item was
            self._written.remove(" ".join(text.split()))
            return
        if not self._spoken_item:
            yield from self.start()
        if told.get("final") is not False:
            if not self._spoken_item:
                yield from self.stop()
            item_id, self._spoken_item = self._spoken_item, ""
            yield self._events.make("input_audio_buffer.committed", item_id=item_id, previous_item_id=self._items.last)
            yield from self._items.whole(_spoken(item_id, text))
            self._items.name(item_id, item)
            yield self._transcript(item_id, text, self._spoken_ms / 1000)

    # The client says what one is

    def by_hand(self) -> None:
        """From now on."""
        self._kept_since = trio.current_time()

    def clear(self) -> Iterator[Saying]:
        """What was heard by now is nothing."""
        self._kept_since = trio.current_time()
        yield to_agent("input_clear")
        yield self._events.make("input_audio_buffer.cleared")

    def commit(self) -> Iterator[Saying]:
        """It is an item. Raises ``Unusable`` where too many wait."""
        now = trio.current_time()
        seconds, self._kept_since = now - self._kept_since, now
        if len(self._committed) >= MAX_COMMITTED:
            raise Unusable("type: too many items wait to be understood")
        item_id = self._events.new_id("item")
        self._committed[item_id] = seconds
        yield to_agent("input_commit", item=item_id)
        yield self._events.make("input_audio_buffer.committed", item_id=item_id, previous_item_id=self._items.last)
        yield from self._items.whole(_spoken(item_id, None))
        self._items.name(item_id, item_id)

    @property
    def is_empty(self) -> bool:
        """Whether there is too little to be committed."""
        return trio.current_time() - self._kept_since < SHORTEST

    def _transcribed(self, item: str, text: str, *, is_failure: bool) -> Iterator[Saying]:
        seconds = self._committed.pop(item)
        if not is_failure:
            if self._items.find(item) is not None:
                self._items.keep(_spoken(item, text))
            yield self._transcript(item, text, seconds)
            return
        error = error_of("server_error", "audio_unintelligible", "The agent could not understand it.")
        kind = "conversation.item.input_audio_transcription.failed"
        yield self._events.make(kind, item_id=item, content_index=0, error=error)

    def _transcript(self, item_id: str, text: str, seconds: float) -> Saying:
        return self._events.make(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": seconds},
        )

    def _now_ms(self) -> int:
        return round(1000 * (trio.current_time() - self._began_at))


def _spoken(item_id: str, text: str | None) -> dict[str, Any]:
    return message(item_id, "user", {"type": "input_audio", "transcript": text}, "completed")
