"""Push to talk: what is heard is kept until the client says that something was said."""

from collections import deque
from collections.abc import Callable
from typing import Final

from glottis import AudioFrame, VoiceActivityDetector

from glottis_conversation.tape import Tape

MAX_PIECES: Final = 4
"""Of ``max_turn_seconds`` that are kept: then the oldest is forgotten."""
TAIL_SECONDS: Final = 0.1
"""After the word that it was said the last of it comes: sound waits in a jitter buffer, and words do not."""


class Recorder:
    """Keeps the frames that it is shown, in pieces of so many seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._tapes: deque[Tape] = deque(maxlen=MAX_PIECES)

    def keep(self, frame: AudioFrame) -> None:
        """One more frame."""
        if not self._tapes or self._tapes[-1].is_full:
            self._tapes.append(Tape(self._limit))
        self._tapes[-1].add(frame)

    def clear(self) -> None:
        """Nothing was said."""
        self._tapes.clear()

    def take(self) -> list[Tape]:
        """All of it."""
        tapes = list(self._tapes)
        self._tapes.clear()
        for tape in tapes:
            tape.end()
        return tapes


class OrRecorder:
    """A ``VoiceActivityDetector`` that finds nothing while ``is_on`` says that the client tells: that is recorded."""

    def __init__(self, detector: VoiceActivityDetector, recorder: Recorder, is_on: Callable[[], bool]) -> None:
        self._detector = detector
        self._recorder = recorder
        self._is_on = is_on

    def detect(self, frame: AudioFrame) -> float:
        """See ``VoiceActivityDetector``."""
        if self._is_on():
            self._recorder.keep(frame)
            return 0.0
        self._recorder.clear()
        return self._detector.detect(frame)
