"""The caller's turns: speech from its first sound to the silence after it, as a detector of voice activity finds it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Annotated, Final, Protocol

import msgspec
import trio

from glottis.contracts.audio import AudioFrame


class VoiceActivityDetector(Protocol):
    """Tells speech from other sound, frame after frame: the kind of a component, ``Component[VoiceActivityDetector]``.

    Each conversation has one of its own; all share a thread, so it must be quick.
    """

    def detect(self, frame: AudioFrame) -> float:
        """How probable it is that somebody speaks in this frame, from 0 to 1; a ``bool`` will do.

        A detector that needs longer pieces than a frame collects them, and says meanwhile what it has found last.
        """


class TurnSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a turn begins and ends: for the settings of an agent, ``turns: TurnSettings = TurnSettings()``."""

    threshold: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    """A frame of at least this probability is speech."""
    onset_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 60
    """Speech must last this long to begin a turn: clicks and knocks are shorter."""
    hangover_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = 600
    """Silence must last this long to end one: pauses between words are shorter."""
    lead_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 200
    """So much of what was heard before the onset belongs to the turn: soft first sounds are found late."""


DEFAULT_TURNS: Final = TurnSettings()


class Turn(ABC):
    """What the caller says from one silence to the next; told as soon as the speech has begun.

    Its audio waits to be read, up to 30 seconds of it: then the oldest is dropped, and counted.
    """

    ended: trio.Event
    """Set when the caller has fallen silent."""

    @property
    @abstractmethod
    def spoken_seconds(self) -> float:
        """How long the speech has lasted, without the silence that ended it."""

    @property
    @abstractmethod
    def audio(self) -> AsyncIterator[AudioFrame]:
        """The frames, as they come, from shortly before the first sound to the silence that ends the turn.

        For recognisers that listen along. Each frame is given once.
        """

    @abstractmethod
    async def whole(self) -> AudioFrame:
        """Wait until the turn has ended, and return its audio (what of it was not read) as one frame."""
