"""What a call hears: to the agent's stream, and in the media tick to whoever takes it without a task's turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import trio

from glottis.calls.streams import DroppingStream
from glottis.contracts.audio import AudioFrame
from glottis.contracts.call import Call
from glottis.contracts.resampling import Resampling

T = TypeVar("T")


class Fan(Generic[T]):
    """Frames, or packets, for all who want them; nothing is to be made of what was heard while nobody does."""

    def __init__(self, limit: int) -> None:
        self.stream: DroppingStream[T] = DroppingStream(limit)
        """The agent's."""
        self._takers: tuple[Callable[[T], None], ...] = ()
        self._refused = 0

    @property
    def is_wanted(self) -> bool:
        """Whether the agent has begun to read, or somebody takes."""
        return self.stream.is_read or bool(self._takers)

    @property
    def dropped(self) -> int:
        """What the agent was too slow for, and what a taker had no room for."""
        return self.stream.dropped + self._refused

    def push(self, item: T) -> None:
        """To everybody, now."""
        if self.stream.is_read:
            self.stream.push(item)
        for take in self._takers:
            try:
                take(item)
            except trio.WouldBlock:
                self._refused += 1

    @contextmanager
    def taken_by(self, take: Callable[[T], None]) -> Iterator[None]:
        """Within this block ``take`` gets each item; it may raise ``trio.WouldBlock``.

        A ``ValueError`` of it ends the block, and is raised there: in the task that has opened it.
        """
        with trio.CancelScope() as scope:
            taker = _Taker(take, scope)
            self._takers += (taker,)
            try:
                yield
            finally:
                self._takers = tuple(one for one in self._takers if one is not taker)
        if taker.error is not None:
            raise taker.error


class _Taker(Generic[T]):
    """Stops at the first item that is refused as wrong."""

    def __init__(self, take: Callable[[T], None], scope: trio.CancelScope) -> None:
        self.error: ValueError | None = None
        self._take = take
        self._scope = scope

    def __call__(self, item: T) -> None:
        if self.error is not None:
            return
        try:
            self._take(item)
        except ValueError as error:
            self.error = error
            self._scope.cancel()


def taker_of(listener: Call, sample_rate: int, resampling: Resampling | None) -> Callable[[AudioFrame], None]:
    """Gives frames of this rate to a call's listener, at the rate of that call.

    Raises ``ValueError`` where they differ and there is no ``resampling``.
    """
    if listener.sample_rate == sample_rate:
        return listener.say_nowait
    if resampling is None:
        raise ValueError(
            f"this call's sample rate is {sample_rate} Hz, that of the other {listener.sample_rate} Hz: "
            "install a resampler (glottis-spandsp), or forward encoded packets"
        )
    resampler = resampling.create_resampler(sample_rate, listener.sample_rate)

    def take(frame: AudioFrame) -> None:
        listener.say_nowait(AudioFrame(resampler.resample(frame.pcm), listener.sample_rate))

    return take
