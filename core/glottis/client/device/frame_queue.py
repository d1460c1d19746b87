"""Frames between two clocks: those of a sound card and of the network differ, by 100 ppm as a rule.

Where frames come a little faster than they go, more and more wait, which is delay. So where some have waited all the
time for a second, as many that are silent are left out. What comes too slowly leaves gaps, which nobody can fill.
"""

from collections import deque
from typing import Final

from glottis.audio import level_dbfs
from glottis.contracts.audio import AudioFrame

MAX_FRAMES: Final = 25
"""Half a second; beyond, the oldest goes, whatever is in it."""
SPARE: Final = 3
"""Frames that always wait are delay and nothing else; fewer are there because commands write several at a time."""
LOOK: Final = 50
"""Frames, a second, over which is looked how many always wait."""
SILENT_DBFS: Final = -50.0


class FrameQueue:
    """Of one direction."""

    def __init__(self, sample_rate: int) -> None:
        self.dropped = 0
        """The oldest frames, which nobody has taken in time."""
        self.skipped = 0
        """Silent ones, which were left out to catch up."""
        self._sample_rate = sample_rate
        self._waiting: deque[bytes] = deque()
        self._least = MAX_FRAMES
        self._looked_at = 0
        self._was_taken = False
        self._spare = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, pcm: bytes) -> None:
        """Behind the others."""
        self._look()
        if self._spare and level_dbfs(AudioFrame(pcm, self._sample_rate)) < SILENT_DBFS:
            self._spare -= 1
            self.skipped += 1
            return
        if len(self._waiting) >= MAX_FRAMES:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(pcm)

    def take(self) -> bytes:
        """The oldest; there has to be one."""
        self._was_taken = True
        return self._waiting.popleft()

    def clear(self) -> None:
        """What waits is of the past."""
        self._waiting.clear()

    def _look(self) -> None:
        self._least = min(self._least, len(self._waiting))
        self._looked_at += 1
        if self._looked_at == LOOK:
            self._spare = max(0, self._least + 1 - SPARE) if self._was_taken else 0
            self._least, self._looked_at, self._was_taken = MAX_FRAMES, 0, False
