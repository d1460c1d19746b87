"""Bounds of what waits in a call."""

from dataclasses import dataclass
from typing import Final

from glottis.contracts.audio import FRAME_SECONDS


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of the call's queues, in seconds of audio."""

    say_queue: float = 0.2
    audio_queue: float = 0.2

    @property
    def audio_frames(self) -> int:
        """How many frames or packets wait for the agent at most."""
        return max(1, round(self.audio_queue / FRAME_SECONDS))


DEFAULT_LIMITS: Final = CallLimits()
