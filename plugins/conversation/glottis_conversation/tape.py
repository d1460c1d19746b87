"""Audio that comes bit by bit, for readers who each begin at its beginning: a second, where the first has failed."""

from collections.abc import AsyncIterator
from typing import Final

import trio
from glottis import AudioFrame
from glottis.audio import chunks, level_dbfs
from glottis.contracts.audio import BYTES_PER_SAMPLE

SHORTEST: Final = 0.001
"""Seconds that a frame counts at least: a service may send a sample at a time, and each is an object."""
STEP: Final = 0.02
"""Seconds, in which the softest place is looked for."""


class Tape:
    """Frames of one stream, up to ``limit`` seconds of them."""

    def __init__(self, limit: float) -> None:
        self.ended = trio.Event()
        self.seconds = 0.0
        """How long it is by now."""
        self._limit = limit
        self._frames: list[AudioFrame] = []
        self._grown = trio.Event()

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be added."""
        return max(self.seconds, len(self._frames) * SHORTEST) >= self._limit

    def add(self, frame: AudioFrame) -> None:
        """Append a frame."""
        self._frames.append(frame)
        self.seconds += frame.duration
        self._tell()

    def end(self) -> None:
        """Nothing follows."""
        self.ended.set()
        self._tell()

    def frames(self, start: float = 0.0) -> AsyncIterator[AudioFrame]:
        """From the beginning, or ``start`` seconds after it, each as soon as it is there, to the end."""
        return _Reader(self, start)

    def softest(self, start: float, end: float) -> float:
        """The last of the softest places between these seconds, such as one between words; ``end`` for want of any."""
        softest, place, at = 0.0, end, 0.0
        for frame in self._frames:
            if at + frame.duration > start:
                for piece in chunks(frame, STEP):
                    if start <= at < end and (level := level_dbfs(piece)) <= softest:
                        softest, place = level, at
                    at += piece.duration
            else:
                at += frame.duration
            if at >= end:
                break
        return place

    async def frame(self, position: int) -> AudioFrame | None:
        """The frame at this position, as soon as it is there; None behind the end."""
        while position >= len(self._frames) and not self.ended.is_set():
            await self._grown.wait()
        return self._frames[position] if position < len(self._frames) else None

    def _tell(self) -> None:
        self._grown.set()
        self._grown = trio.Event()


class _Reader(AsyncIterator[AudioFrame]):
    """Holds nothing that would have to be closed, as a generator does."""

    def __init__(self, tape: Tape, start: float) -> None:
        self._tape = tape
        self._position = 0
        self._skipped = start
        """Seconds before the next frame's beginning, or its own first ones."""

    async def __anext__(self) -> AudioFrame:
        while True:
            frame = await self._tape.frame(self._position)
            if frame is None:
                raise StopAsyncIteration
            self._position += 1
            skipped = round(self._skipped * frame.sample_rate)
            self._skipped = max(0.0, self._skipped - frame.duration)
            if not skipped:
                return frame
            if skipped < frame.sample_count:
                rest = frame.pcm[skipped * BYTES_PER_SAMPLE :]
                return AudioFrame(rest, frame.sample_rate, frame.timestamp + skipped)
