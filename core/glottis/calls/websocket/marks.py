"""How much of what a client was sent it has played, as far as it tells (CONTRACT §5).

A mark is a place in the audio, which the client sends back once it has played what comes before. Between two marks
what is played goes on with time, as far as the next one: a client whose playout stands still has not heard on.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from glottis.contracts.short_queue import ShortQueue
from glottis.signaling.messages import Mark

MARK_PERIOD: Final = 0.5
"""Seconds of audio between two marks; one more stands where a talk spurt begins, and one where it ends."""
SPURT_END: Final = 0.1
"""Seconds without audio after which a spurt has ended."""
MAX_OUTSTANDING: Final = 64
"""Marks that were not sent back, half a minute: of older ones nothing is remembered."""


class Marks:
    """Times and durations in seconds. A client that sends none back has heard what it was sent."""

    def __init__(self) -> None:
        self._sent = 0.0
        self._sent_at = 0.0
        self._marked = 0.0
        self._in_spurt = False
        self._last_id = 0
        self._outstanding: ShortQueue[tuple[Mark, float]] = ShortQueue()
        self._played: float | None = None
        """At the mark that was sent back last; None before there was one."""
        self._played_at = 0.0

    def place(self, audio: Iterable[tuple[bytes, float]], now: float) -> Iterator[bytes | Mark]:
        """What goes out in a tick, each message with its duration, and the marks between."""
        for payload, duration in audio:
            if not self._in_spurt:  # the clock of what is played begins with it
                self._in_spurt = True
                yield self._mark()
            yield payload
            self._sent += duration
            self._sent_at = now
            if self._sent - self._marked >= MARK_PERIOD:
                yield self._mark()
        if self._in_spurt and now - self._sent_at >= SPURT_END:
            self._in_spurt = False
            yield self._mark()

    def come_back(self, mark: Mark, now: float) -> None:
        """The client has played what comes before it. One that is not outstanding tells nothing."""
        marks = [mark for mark, _ in self._outstanding]
        if mark in marks:
            index = marks.index(mark)
            self._played, self._played_at = self._outstanding[index][1], now
            del self._outstanding[: index + 1]

    def unheard(self, now: float) -> float:
        """Of what was sent, what the client has not played yet."""
        if self._played is None:
            return 0.0
        told = self._outstanding[0][1] if self._outstanding else self._sent
        return self._sent - min(told, self._played + (now - self._played_at))

    def flush(self, now: float) -> None:
        """The client drops what it has not played, and the marks with it."""
        self._outstanding.clear()
        self._in_spurt = False
        if self._played is not None:
            self._played, self._played_at = self._sent, now

    def forget(self) -> None:
        """Another client, perhaps, goes on."""
        self._outstanding.clear()
        self._in_spurt = False
        self._played = None

    def _mark(self) -> Mark:
        self._last_id += 1
        self._marked = self._sent
        mark = Mark(self._last_id)
        self._outstanding.push((mark, self._sent), MAX_OUTSTANDING)
        return mark
