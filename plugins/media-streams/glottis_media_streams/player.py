"""Plays what a bot sends, tells which of its marks were reached, and drops the rest when it says so."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio
from glottis import AudioFrame, Call, Utterance

from glottis_media_streams.messages import RATE

MAX_SECONDS: Final = 300.0
"""That wait to be played: bots send whole answers at once."""
MAX_FRAMES: Final = 60_000
"""The same, however short they are: as many as there are of 5 ms."""
MAX_MARKS: Final = 256
"""That wait to be told."""


@dataclass(eq=False, slots=True)
class Run:
    """What is played from one mark to the next."""

    frames: trio.MemorySendChannel[AudioFrame]
    utterance: Utterance
    seconds: float = 0.0

    @property
    def waiting(self) -> float:
        """Seconds of it that were not played yet."""
        return 0.0 if self.utterance.done.is_set() else max(0.0, self.seconds - self.utterance.heard.sent)


class Player:
    """``tell_marks`` is for a task."""

    def __init__(self, call: Call) -> None:
        self.dropped_seconds = 0.0
        """What there was no room for."""
        self._call = call
        self._runs: deque[Run] = deque()
        self._is_open = False
        """Whether the last run takes more."""
        self._last: Utterance | None = None
        self._send, self._marks = trio.open_memory_channel[tuple[Utterance | None, str]](MAX_MARKS)

    def play(self, pcm: bytes) -> None:
        """After what was given before."""
        if not pcm:
            return
        frame = AudioFrame(pcm, RATE)
        while self._runs and self._runs[0].utterance.done.is_set():
            self._is_open = self._is_open and len(self._runs) > 1
            self._runs.popleft()
        frames = sum(run.frames.statistics().current_buffer_used for run in self._runs)
        if frames >= MAX_FRAMES or sum(run.waiting for run in self._runs) + frame.duration > MAX_SECONDS:
            self.dropped_seconds += frame.duration
            return
        if not self._is_open:
            self._begin()
        self._runs[-1].seconds += frame.duration
        self._runs[-1].frames.send_nowait(frame)

    def mark(self, name: str) -> bool:
        """To be told when all before it was played; false where too many wait."""
        self.finish()
        try:
            self._send.send_nowait((self._last, name))
        except trio.WouldBlock:
            return False
        return True

    def clear(self) -> None:
        """Fall silent within a frame; the marks that wait count as reached."""
        self.finish()
        for run in self._runs:
            run.utterance.cancel()
        self._runs.clear()

    def finish(self) -> None:
        """What was given is complete."""
        if self._is_open:
            self._runs[-1].frames.close()
        self._is_open = False

    async def tell_marks(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Each in its order."""
        async for utterance, name in self._marks:
            if utterance is not None:
                await utterance.done.wait()
            await tell(name)

    def _begin(self) -> None:
        send, receive = trio.open_memory_channel[AudioFrame](float("inf"))  # bounded above
        self._last = self._call.start_saying(receive)
        self._runs.append(Run(send, self._last))
        self._is_open = True
