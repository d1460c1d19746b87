"""Who tells the agent that the caller speaks: the kind of its component ``detector``."""

from typing import Protocol

from glottis import AudioFrame


class SpeechDetector(Protocol):
    """Hears one caller, frame after frame. Each call has one; all share a thread, so it must be quick."""

    @property
    def speaking(self) -> bool:
        """Whether speech is going on."""

    @property
    def spoken_seconds(self) -> float:
        """Length of the current or last speech, without the silence that ended it."""

    def hear(self, frame: AudioFrame) -> None:
        """Take in one frame of any length and rate."""

    def hear_nothing(self, seconds: float) -> None:
        """Take in a time for which there was no frame."""
