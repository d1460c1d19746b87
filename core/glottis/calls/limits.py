"""Bounds of what waits in a call."""

from typing import Final

import msgspec


class CallLimits(msgspec.Struct, frozen=True):
    """Bounds of the call's queues, in seconds of audio."""

    say_queue: float = 0.2
    audio_queue: float = 0.2

    def audio_frames(self, frame_seconds: float) -> int:
        """How many frames of this length, or packets, wait for the agent at most."""
        return max(1, round(self.audio_queue / frame_seconds))


DEFAULT_LIMITS: Final = CallLimits()
