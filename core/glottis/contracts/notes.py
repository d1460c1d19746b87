"""What a call's trace is made of: decisions and findings, each in a sentence that a person reads."""

from dataclasses import dataclass
from typing import Final, Literal

from glottis.contracts.short_queue import ShortQueue

Topic = Literal["session", "sdp", "servers", "ice", "dtls"]
TOPICS: Final[tuple[Topic, ...]] = ("session", "sdp", "servers", "ice", "dtls")

TRACE_LOGGER: Final = "glottis.trace"
"""Has a logger for each topic below it."""
MAX_UNTOLD: Final = 64
"""Sentences that wait for their owner, who drains after each change; of more the oldest are lost."""


@dataclass(frozen=True, slots=True)
class Note:
    """An engine tells it like an event. It never holds a password, key or token, and none is made for a packet."""

    topic: Topic
    sentence: str


class Notes:
    """Of one engine, whose parts share it, until the owner asks for them."""

    __slots__ = ("_topic", "_untold")

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._untold: ShortQueue[Note] = ShortQueue()

    def __bool__(self) -> bool:
        return bool(self._untold)

    def add(self, sentence: str) -> None:
        """One more."""
        self._untold.push(Note(self._topic, sentence), MAX_UNTOLD)

    def pop(self) -> Note:
        """The oldest, while there are any."""
        return self._untold.popleft()
